#include "hot/strategy/quote/fair.h"

#define ONE_Q30 (1LL << 30)
#define LN2_Q30 744261118LL /* ln 2 */

int64_t fair_decay(uint64_t passed_ns, uint64_t half_life_ns)
{
    if (half_life_ns == 0 || passed_ns / half_life_ns >= 30) {
        return 0;
    }
    uint64_t halves = passed_ns / half_life_ns;
    uint64_t rest_ns = passed_ns % half_life_ns;
    int64_t x = (int64_t)((__extension__(unsigned __int128) rest_ns * LN2_Q30) / half_life_ns);

    /* e^-x for 0 <= x < ln 2: five terms leave an error below 2e-4 */
    int64_t x2 = (x * x) >> 30;
    int64_t x3 = (x2 * x) >> 30;
    int64_t x4 = (x3 * x) >> 30;
    int64_t decay = ONE_Q30 - x + x2 / 2 - x3 / 6 + x4 / 24;
    return decay >> halves;
}

static void clamp(struct fair *fair)
{
    fair->at_bound = false;
    if (fair->offset_ppb > fair->bound_ppb) {
        fair->offset_ppb = fair->bound_ppb;
        fair->at_bound = true;
    } else if (fair->offset_ppb < -fair->bound_ppb) {
        fair->offset_ppb = -fair->bound_ppb;
        fair->at_bound = true;
    }
}

bool fair_sample(struct fair *fair, int64_t ratio_e9, uint64_t now_ns, uint64_t half_life_ns)
{
    int64_t sample = ratio_e9 - 1000000000LL;
    int64_t before = fair->offset_ppb;

    /* Anything further out than half the price counts as that far. */
    sample = base_max(base_min(sample, 500000000LL), -500000000LL);
    if (fair->sampled_ns == 0) {
        fair->offset_ppb = sample;
    } else {
        if (now_ns - fair->sampled_ns < FAIR_SAMPLE_NS) {
            return false;
        }
        int64_t decay = fair_decay(now_ns - fair->sampled_ns, half_life_ns);
        fair->offset_ppb = sample + (((fair->offset_ppb - sample) * decay) >> 30);
    }
    fair->sampled_ns = now_ns == 0 ? 1 : now_ns;
    clamp(fair);
    return fair->offset_ppb != before;
}

void fair_set(struct fair *fair, int64_t offset_centibp)
{
    offset_centibp = base_max(base_min(offset_centibp, 500000), -500000);
    fair->offset_ppb = offset_centibp * 1000;
    clamp(fair);
}

void fair_bound(struct fair *fair, int64_t bound_centibp)
{
    fair->bound_ppb = base_max(0, base_min(bound_centibp, 500000)) * 1000;
    clamp(fair);
}

int64_t fair_centibp(const struct fair *fair)
{
    int64_t half = fair->offset_ppb < 0 ? -500 : 500;
    return (fair->offset_ppb + half) / 1000;
}
