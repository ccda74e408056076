/* Status texts, allocation, CPU quota, instruction sets, randomness. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../csrc/base/quota.h"
#include "scp/cpu.h"
#include "scp/random.h"
#include "scp/status.h"

static void every_status_has_its_text(void) {
    for (int a = 0; a <= (int)SCP_STATUS_COUNT; a++) {
        const char *text = scp_status_text((enum scp_status)a);
        CHECK(text && *text);
        for (int b = 0; b < a; b++) CHECK(strcmp(text, scp_status_text((enum scp_status)b)) != 0);
    }
    CHECK(strcmp(scp_status_text((enum scp_status)99), "unknown status") == 0);
}

/* ---- allocation ---- */

static void sizes_multiply_or_overflow(void) {
    size_t out = 7;
    CHECK(scp_size_mul(0, SIZE_MAX, &out) == 0 && out == 0);
    CHECK(scp_size_mul(SIZE_MAX, 0, &out) == 0 && out == 0);
    CHECK(scp_size_mul(SIZE_MAX, 1, &out) == 0 && out == SIZE_MAX);
    CHECK(scp_size_mul(6, 7, &out) == 0 && out == 42);
    CHECK(scp_size_mul(SIZE_MAX / 2 + 1, 2, &out) != 0);
    CHECK(scp_size_mul(SIZE_MAX, SIZE_MAX, &out) != 0);
    CHECK(!scp_alloc(SIZE_MAX / 2, 3));
    CHECK(!scp_alloc(SIZE_MAX, 1)); /* no room for the header */
    CHECK(!scp_calloc(SIZE_MAX / 4, 8));
}

static void allocation_is_aligned_counted_and_writable(void) {
    static const size_t sizes[] = {0, 1, 63, 64, 65, 4096, 100003};
    void *blocks[7];
    size_t sum = 0;
    const size_t before = scp_alloc_outstanding();
    for (size_t i = 0; i < 7; i++) {
        blocks[i] = scp_alloc(sizes[i], 1);
        CHECK(blocks[i] && (uintptr_t)blocks[i] % SCP_ALIGNMENT == 0);
        if (blocks[i]) memset(blocks[i], 0xa5, sizes[i]);
        sum += sizes[i];
    }
    CHECK(scp_alloc_outstanding() == before + sum);
    for (size_t i = 0; i < 7; i++) scp_free(blocks[i]);
    scp_free(NULL);
    CHECK(scp_alloc_outstanding() == before);
    CHECK(scp_alloc_peak() >= before + sum);
    scp_alloc_reset_peak();
    CHECK(scp_alloc_peak() == before);
}

static void calloc_is_zero(void) {
    unsigned char *bytes = scp_alloc(1000, 1); /* leave dirt for the next to find */
    if (bytes) memset(bytes, 0xff, 1000);
    scp_free(bytes);
    bytes = scp_calloc(125, 8);
    CHECK(bytes != NULL);
    for (size_t i = 0; bytes && i < 1000; i++) CHECK(bytes[i] == 0);
    scp_free(bytes);
}

static void the_nth_allocation_fails_once(void) {
    for (uint64_t n = 1; n <= 4; n++) {
        scp_alloc_fail_at(n);
        for (uint64_t i = 1; i <= 6; i++) {
            void *pointer = i % 2 ? scp_alloc(8, 8) : scp_calloc(8, 8);
            CHECK((pointer == NULL) == (i == n));
            scp_free(pointer);
        }
    }
    scp_alloc_fail_at(1);
    scp_alloc_fail_at(0);
    void *pointer = scp_alloc(1, 1);
    CHECK(pointer != NULL);
    scp_free(pointer);
}

/* ---- CPU ---- */

static void an_instruction_set_can_be_forced(void) {
    CHECK(scp_isa_available(SCP_ISA_PORTABLE));
    CHECK(scp_isa_name(SCP_ISA_COUNT) == NULL);
    CHECK(scp_isa_set("sse9") == SCP_EINVAL);
    CHECK(scp_isa_set("") == SCP_EINVAL);
    const enum scp_isa best = scp_isa();
    for (int i = 0; i < (int)SCP_ISA_COUNT; i++) {
        const enum scp_isa isa = (enum scp_isa)i, before = scp_isa();
        const int available = scp_isa_available(isa);
        CHECK(scp_isa_set(scp_isa_name(isa)) == (available ? SCP_OK : SCP_EUNSUPPORTED));
        CHECK(scp_isa() == (available ? isa : before));
    }
    CHECK(scp_isa_set(NULL) == SCP_OK);
    const char *forced = getenv("SCP_ISA");
    CHECK(scp_isa() == best || (forced && *forced));
}

/* A folder of fake control groups. */
static char root[256];

static void put(const char *name, const char *text) { /* "a/b/file": makes the folders too */
    char path[1024];
    const int length = snprintf(path, sizeof path, "%s/%s", root, name);
    CHECK(length > 0 && (size_t)length < sizeof path);
    for (char *c = path + strlen(root) + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        mkdir(path, 0700);
        *c = '/';
    }
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (!file) return;
    fputs(text, file);
    fclose(file);
}

static size_t quota_of(const char *table) {
    char mount[300], path[300];
    put("table", table);
    snprintf(mount, sizeof mount, "%s/mount", root);
    snprintf(path, sizeof path, "%s/table", root);
    return scp_cgroup_quota(mount, path);
}

static void cgroup_quotas_are_read(void) {
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/scp-test-XXXXXX", base && *base ? base : "/tmp");
    CHECK(mkdtemp(root) != NULL);

    put("mount/a/b/cpu.max", "max 100000\n");
    CHECK(quota_of("0::/a/b\n") == 0);
    put("mount/a/cpu.max", "150000 100000\n"); /* an ancestor's limit, rounded up */
    CHECK(quota_of("0::/a/b\n") == 2);
    put("mount/a/b/cpu.max", "100000 100000\n");
    CHECK(quota_of("0::/a/b\n") == 1);
    CHECK(quota_of("0::/a\n") == 2);
    CHECK(quota_of("0::/\n") == 0);
    CHECK(quota_of("0::/not/here\n") == 0);
    put("mount/cpu.max", "9223372036854775807 2\n"); /* no overflow */
    CHECK(quota_of("0::/\n") == (size_t)4611686018427387904u);
    put("mount/cpu.max", "300000 100000\n");
    CHECK(quota_of("0::/not/here\n") == 3);
    CHECK(quota_of("0::/a/b\n") == 1);
    put("mount/cpu.max", "nonsense\n");
    CHECK(quota_of("0::/\n") == 0);
    put("mount/cpu.max", "-5 0\n");
    CHECK(quota_of("0::/\n") == 0);

    put("mount/cpu/x/y/cpu.cfs_quota_us", "-1\n");
    put("mount/cpu/x/y/cpu.cfs_period_us", "100000\n");
    CHECK(quota_of("4:memory:/m\n3:cpu,cpuacct:/x/y\n") == 0);
    put("mount/cpu/x/cpu.cfs_quota_us", "250000\n");
    put("mount/cpu/x/cpu.cfs_period_us", "100000\n");
    CHECK(quota_of("3:cpu,cpuacct:/x/y\n") == 3);
    CHECK(quota_of("3:cpuacct,cpu:/x/y\n0::/a/b\n") == 1); /* the smaller of the two */
    CHECK(quota_of("3:cpuset,cpuacct:/x/y\n") == 0);
    CHECK(quota_of("") == 0 && quota_of("::\n:\n\n") == 0);
    CHECK(scp_cgroup_quota(root, "/nowhere/at/all") == 0);
    CHECK(scp_cpu_quota() >= 1);

    char command[300];
    snprintf(command, sizeof command, "rm -r '%s'", root);
    CHECK(system(command) == 0);
}

/* ---- randomness ---- */

/* philox4x32 10: counter, key, result; from kat_vectors of the Random123 distribution. */
static const uint32_t known[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e,
     0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb,
     0x5001e420, 0x24126ea1},
};

static void philox_gives_the_known_answers(void) {
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        scp_philox(out, known[i], known[i] + 4);
        CHECK(memcmp(out, known[i] + 6, sizeof out) == 0);
    }
}

static void streams_follow_their_definition(void) {
    struct scp_rng rng;
    const uint64_t seed = 0x0123456789abcdefu, stream = 0xfedcba9876543210u;
    scp_rng_init(&rng, seed, stream);
    for (uint32_t block = 0; block < 5; block++) {
        uint32_t out[4];
        const uint32_t counter[4] = {block, 0, 0x76543210u, 0xfedcba98u};
        const uint32_t key[2] = {0x89abcdefu, 0x01234567u};
        scp_philox(out, counter, key);
        for (size_t i = 0; i < 4; i++) CHECK(scp_rng_u32(&rng) == out[i]);
    }
    rng.block = 0xffffffffu; /* the carry into the second word */
    rng.used = 4;
    for (int i = 0; i < 4; i++) scp_rng_u32(&rng);
    CHECK(rng.block == 0x100000000u);

    scp_rng_init(&rng, 5, 6);
    const uint64_t high = scp_rng_u32(&rng), low = scp_rng_u32(&rng);
    scp_rng_init(&rng, 5, 6);
    const double number = scp_rng_uniform(&rng);
    CHECK(number == (double)((high << 32 | low) >> 11) / 9007199254740992.0);
    CHECK(number >= 0 && number < 1);
}

static void below_is_in_range_and_even(void) {
    struct scp_rng rng;
    scp_rng_init(&rng, 1, 2);
    size_t seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        const uint32_t pick = scp_rng_below(&rng, 7);
        CHECK(pick < 7);
        if (pick < 7) seen[pick]++;
    }
    double chi = 0; /* 6 degrees of freedom: 22.5 has chance 1e-3; the seed is fixed */
    for (int i = 0; i < 7; i++) chi += ((double)seen[i] - 1e4) * ((double)seen[i] - 1e4) / 1e4;
    CHECK(chi <= 22.5);
    for (int i = 0; i < 100; i++) CHECK(scp_rng_below(&rng, 1) == 0);
    /* Just above half the range: nearly half of all words must be rejected. */
    const uint32_t n = 0x80000001u;
    size_t upper = 0;
    for (int i = 0; i < 10000; i++) {
        const uint32_t pick = scp_rng_below(&rng, n);
        CHECK(pick < n);
        upper += pick >= n / 2;
    }
    CHECK(upper > 4700 && upper < 5300);
}

static void subsets_are_distinct_ascending_and_even(void) {
    struct scp_rng rng;
    uint32_t out[64];
    scp_rng_init(&rng, 3, 4);
    scp_rng_subset(&rng, out, 0, 0, NULL);
    for (uint32_t n = 1; n <= 64; n++) {
        scp_rng_subset(&rng, out, n, n, NULL); /* the whole set */
        for (uint32_t i = 0; i < n; i++) CHECK(out[i] == i);
    }
    size_t seen[10] = {0};
    for (int i = 0; i < 20000; i++) { /* all 10 pairs of 5 equally often */
        scp_rng_subset(&rng, out, 2, 5, NULL);
        CHECK(out[0] < out[1] && out[1] < 5);
        seen[out[0] * (9 - out[0]) / 2 + out[1] - out[0] - 1]++;
    }
    double chi = 0; /* 9 degrees of freedom: 27.9 has chance 1e-3 */
    for (int i = 0; i < 10; i++) chi += ((double)seen[i] - 2e3) * ((double)seen[i] - 2e3) / 2e3;
    CHECK(chi <= 27.9);
    scp_rng_subset(&rng, out, 64, UINT32_MAX, NULL);
    for (int i = 1; i < 64; i++) CHECK(out[i - 1] < out[i]);
}

int main(void) {
    RUN(every_status_has_its_text);
    RUN(sizes_multiply_or_overflow);
    RUN(allocation_is_aligned_counted_and_writable);
    RUN(calloc_is_zero);
    RUN(the_nth_allocation_fails_once);
    RUN(an_instruction_set_can_be_forced);
    RUN(cgroup_quotas_are_read);
    RUN(philox_gives_the_known_answers);
    RUN(streams_follow_their_definition);
    RUN(below_is_in_range_and_even);
    RUN(subsets_are_distinct_ascending_and_even);
    return test_end();
}
