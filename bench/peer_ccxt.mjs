// ccxt pro on the path of tick_to_order: Binance's depth in, an edit at Deribit out.  Started by peer_ccxt.c.
//
//   node --import tests/clients/lib/redirect.mjs bench/peer_ccxt.mjs FIGURES
//
// FIGURES is JSON: what the quotes are made of (bench/market.h).  As an operator of ccxt would write it: watch the
// book, and when the best bid has moved, edit the order.  Its markets are given to it, so that nothing is asked
// before the first order; Deribit's calls go by HTTP on a connection that stays open, because ccxt has no
// createOrderWs there.  It says "quoting" when both orders rest and ends when its input ends.
import { createRequire } from 'node:module'
import path from 'node:path'

const figures = JSON.parse(process.argv[2])
const ccxt = createRequire(path.join(process.env.POISE_SDK, 'package.json'))('ccxt')

process.stdin.on('end', () => process.exit(0)).resume()

function market (given) {
  return { active: true, contract: true, swap: true, spot: false, margin: false, future: false, option: false, type: 'swap',
    taker: 0.0005, maker: 0, lowercaseId: given.id.toLowerCase(), info: {}, ...given }
}

function venue (name, given) {
  const made = new ccxt.pro[name]({ apiKey: figures.key, secret: figures.secret, enableRateLimit: false,
    options: { adjustForTimeDifference: false } })
  made.setMarkets([market(given)])
  made.loadMarkets = async () => made.markets
  return made
}

const hedge = 'BTC/USDT:USDT'
const quote = 'BTC/USD:BTC'
const binance = venue('binanceusdm', { id: 'BTCUSDT', symbol: hedge, base: 'BTC', quote: 'USDT', settle: 'USDT', baseId: 'BTC',
  quoteId: 'USDT', settleId: 'USDT', linear: true, inverse: false, subType: 'linear', contractSize: 1,
  precision: { amount: 0.001, price: 0.01 }, limits: { amount: { min: 0.001 }, price: {}, cost: {} } })
const deribit = venue('deribit', { id: 'BTC-PERPETUAL', symbol: quote, base: 'BTC', quote: 'USD', settle: 'BTC', baseId: 'BTC',
  quoteId: 'USD', settleId: 'BTC', linear: false, inverse: true, subType: 'inverse', contractSize: 10,
  precision: { amount: 10, price: 0.5 }, limits: { amount: { min: 10 }, price: {}, cost: {} } })

// In the units of bench/market.c, whole numbers below 2^53: tenths in, ten thousandths out.
const { cost, one, tick, size } = figures
const bidFor = price => Math.floor(price * (1000000 - cost) / (one * tick)) * tick / 10000
const askFor = price => Math.ceil(price * (1000000 + cost) / (one * tick)) * tick / 10000

const postOnly = { postOnly: true } // ccxt adds reject_post_only
let quoted
let id

/* Its connection is free again a moment after the reply: another call at once would open a second one. */
async function place (side, price) {
  const order = await deribit.createOrder(quote, 'limit', side, size, price, { ...postOnly, label: 'ccxt-' + side })
  await new Promise(resolve => setTimeout(resolve, 50))
  return order.id
}

await binance.watchOrderBook(hedge)
quoted = bidFor(figures.bid)
id = await place('buy', quoted)
await place('sell', askFor(figures.ask))
console.log('quoting')
for (;;) {
  // the book as it is now: what came while an edit was under way wakes nobody
  const price = bidFor(Math.round(binance.orderbooks[hedge].bids[0][0] * 10))
  if (price === quoted) {
    await binance.watchOrderBook(hedge)
    continue
  }
  quoted = price
  await deribit.editOrder(id, quote, 'limit', 'buy', size, price, { post_only: true, reject_post_only: true })
}
