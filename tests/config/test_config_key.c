#include "config/config.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/poise-key-XXXXXX";
static struct config_key key;
static char error[300];

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
}

static void remove_folder(void)
{
    static const char *const names[] = { "k.toml", "link.toml", "p.pem" };
    for (size_t i = 0; i < POISE_COUNT_OF(names); i++) {
        unlink(names[i]);
    }
    rmdir(folder);
}

TestSuite(config_key, .init = make_folder, .fini = remove_folder);

static void write_file(const char *name, mode_t mode, const char *text)
{
    FILE *file = fopen(name, "we");
    fputs(text, file);
    fclose(file);
    cr_assert_eq(chmod(name, mode), 0);
}

static void expect_refused(const char *path, const char *words)
{
    static const struct config_key zero;
    memset(&key, 1, sizeof key);
    error[0] = '\0';
    cr_expect_not(config_key_load(path, &key, error, sizeof error));
    cr_expect_not_null(strstr(error, words), "\"%s\" is not in: %s", words, error);
    cr_expect_null(strstr(error, "hush"), "a secret was told: %s", error);
    cr_expect_eq(memcmp(&key, &zero, sizeof key), 0, "something was left behind");
}

#define SECRET "api_key = \"me\"\napi_secret = \"hush\"\n"

Test(config_key, a_key_is_read_from_a_file_of_ours_alone)
{
    write_file("k.toml", 0600, SECRET "passphrase = \"hush too\"\n");
    cr_expect(config_key_load("k.toml", &key, error, sizeof error), "%s", error);
    cr_expect_str_eq(key.api_key, "me");
    cr_expect_str_eq(key.api_secret, "hush");
    cr_expect_eq(key.api_secret_bytes, 4);
    cr_expect_str_eq(key.passphrase, "hush too");
    cr_expect_eq(key.kind, 1);

    write_file("k.toml", 0400, SECRET);
    cr_expect(config_key_load("k.toml", &key, error, sizeof error), "%s", error);
}

Test(config_key, a_file_that_others_can_reach_is_refused)
{
    static const mode_t modes[] = { 0644, 0640, 0604, 0660, 0601 };
    for (size_t i = 0; i < POISE_COUNT_OF(modes); i++) {
        write_file("k.toml", modes[i], SECRET);
        expect_refused("k.toml", "others can reach it");
    }
}

Test(config_key, a_file_of_another_user_is_refused)
{
    if (geteuid() != 0) {
        cr_skip_test("only root can give a file away");
    }
    write_file("k.toml", 0600, SECRET);
    cr_assert_eq(chown("k.toml", 12345, 12345), 0);
    expect_refused("k.toml", "belongs to user 12345");
}

Test(config_key, a_link_and_a_folder_are_refused)
{
    write_file("k.toml", 0600, SECRET);
    cr_assert_eq(symlink("k.toml", "link.toml"), 0);
    expect_refused("link.toml", "symbolic link");
    expect_refused(".", "is not a file");
    expect_refused("none.toml", "cannot be opened");
}

Test(config_key, contents_are_checked_and_never_told)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        { "api_key = \"me\"\n", "is missing" },
        { "api_secret = \"hush\"\n", "api_key is missing" },
        { SECRET "api_secrett = \"hush\"\n", "line 3: unknown key" },
        { SECRET "seed_hex = \"00\"\n", "only one of" },
        { "api_key = \"me\"\nseed_hex = \"hush\"\n", "64 hexadecimal digits" },
        { "api_key = \"me\"\napi_secret = hush\n", "line 2 is not TOML" },
        { "api_key = 3\napi_secret = \"hush\"\n", "line 1: must be a text" },
        { "[a]\napi_secret = \"hush\"\n", "line 1: must be a text at the top" },
        { "api_key = \"\"\napi_secret = \"hush\"\n", "line 1: api_key must be 1 to" },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(cases); i++) {
        write_file("k.toml", 0600, cases[i].text);
        expect_refused("k.toml", cases[i].words);
    }
}

Test(config_key, a_seed_is_32_bytes_of_hex)
{
    write_file("k.toml", 0600,
               "api_key = \"me\"\nseed_hex = "
               "\"0x000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\"\n");
    cr_expect(config_key_load("k.toml", &key, error, sizeof error), "%s", error);
    cr_expect_eq(key.kind, 2);
    for (unsigned i = 0; i < sizeof key.seed; i++) {
        cr_expect_eq(key.seed[i], i);
    }
}

Test(config_key, a_pem_file_is_found_beside_the_key_file_and_checked_alike)
{
    char path[64];
    snprintf(path, sizeof path, "%s/k.toml", folder);
    write_file("k.toml", 0600, "api_key = \"me\"\nprivate_key_pem_file = \"p.pem\"\n");
    write_file("p.pem", 0600, "-----BEGIN hush\n");
    cr_assert_eq(chdir("/"), 0);
    cr_expect(config_key_load(path, &key, error, sizeof error), "%s", error);
    cr_expect_eq(key.kind, 3);
    cr_expect_str_eq(key.api_secret, "-----BEGIN hush\n");
    cr_expect_eq(key.api_secret_bytes, 16);
    cr_assert_eq(chdir(folder), 0);
    write_file("p.pem", 0644, "-----BEGIN hush\n");
    expect_refused("k.toml", "p.pem: has mode 0644");
}
