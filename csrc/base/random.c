/* Philox4x32-10 and what is drawn from it: whole numbers, fractions, subsets. */
#include "scp/random.h"

#include <string.h>

#include "scp/alloc.h"

void scp_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void scp_rng_init(struct scp_rng *rng, uint64_t seed, uint64_t stream) {
    rng->seed = seed;
    rng->stream = stream;
    rng->block = 0;
    rng->used = 4;
}

uint32_t scp_rng_u32(struct scp_rng *rng) {
    if (rng->used == 4) {
        const uint32_t counter[4] = {(uint32_t)rng->block, (uint32_t)(rng->block >> 32),
                                     (uint32_t)rng->stream, (uint32_t)(rng->stream >> 32)};
        const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
        scp_philox(rng->buffer, counter, key);
        rng->block++;
        rng->used = 0;
    }
    return rng->buffer[rng->used++];
}

uint32_t scp_rng_below(struct scp_rng *rng, uint32_t n) {
    uint64_t product = (uint64_t)scp_rng_u32(rng) * n;
    if ((uint32_t)product < n) {
        const uint32_t biased = (uint32_t)(-n) % n;
        while ((uint32_t)product < biased) product = (uint64_t)scp_rng_u32(rng) * n;
    }
    return (uint32_t)(product >> 32);
}

double scp_rng_uniform(struct scp_rng *rng) {
    const uint64_t high = scp_rng_u32(rng);
    const uint64_t low = scp_rng_u32(rng);
    return (double)((high << 32 | low) >> 11) * 0x1p-53;
}

#define POLL 65536 /* picks until the caller may stop */
#define FEW 256    /* below, moving what is larger costs less than a table */

/* Puts a pick in its place, or j, which is new and the largest. */
static void insert(uint32_t *out, uint32_t count, uint32_t pick, uint32_t j) {
    uint32_t at = 0;
    while (at < count && out[at] < pick) at++;
    if (at < count && out[at] == pick) {
        out[count] = j;
        return;
    }
    for (uint32_t i = count; i > at; i--) out[i] = out[i - 1];
    out[at] = pick;
}

/* Puts a number in the table, whose size is a power of two; 0: it is there. UINT32_MAX: free. */
static int enter(uint32_t *table, size_t size, uint32_t number) {
    size_t at = number * (size_t)0x9E3779B97F4A7C15u >> 20 & (size - 1);
    for (; table[at] != UINT32_MAX; at = (at + 1) & (size - 1))
        if (table[at] == number) return 0;
    table[at] = number;
    return 1;
}

/* By bytes, the lowest first; `other` is scratch. */
static void sort(uint32_t *numbers, uint32_t *other, size_t count) {
    for (int shift = 0; shift < 32; shift += 8) {
        size_t start[257] = {0};
        for (size_t i = 0; i < count; i++) start[(numbers[i] >> shift & 255) + 1]++;
        for (int b = 0; b < 256; b++) start[b + 1] += start[b];
        for (size_t i = 0; i < count; i++) other[start[numbers[i] >> shift & 255]++] = numbers[i];
        uint32_t *const sorted = other;
        other = numbers;
        numbers = sorted;
    }
}

enum scp_status scp_rng_subset(struct scp_rng *rng, uint32_t *out, uint32_t m, uint32_t n,
                               const struct scp_control *control) {
    if (m <= FEW) {
        for (uint32_t k = 0, j = n - m; k < m; k++, j++)
            insert(out, k, scp_rng_below(rng, j + 1), j);
        return SCP_OK;
    }
    size_t size = 2 * FEW;
    while (size < 2 * (size_t)m) size *= 2;
    uint32_t *table = scp_alloc(size, sizeof *table);
    if (!table) return SCP_ENOMEM;
    enum scp_status status = SCP_OK;
    memset(table, 255, size * sizeof *table);
    for (uint32_t k = 0, j = n - m; k < m && status == SCP_OK; k++, j++) {
        if (k % POLL == POLL - 1) status = scp_poll(control, k, m);
        const uint32_t pick = scp_rng_below(rng, j + 1);
        out[k] = enter(table, size, pick) ? pick : j;
        if (out[k] == j) enter(table, size, j);
    }
    if (status == SCP_OK) sort(out, table, m);
    scp_free(table);
    return status;
}
