/* Philox4x32-10 and what is drawn from it: whole numbers, fractions, subsets. */
#include "scp/random.h"

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

void scp_rng_subset(struct scp_rng *rng, uint32_t *out, uint32_t m, uint32_t n) {
    uint32_t count = 0;
    for (uint32_t j = n - m; j < n; j++) {
        uint32_t pick = scp_rng_below(rng, j + 1);
        uint32_t at = 0;
        while (at < count && out[at] < pick) at++;
        if (at < count && out[at] == pick) { /* taken: j itself is new and the largest */
            out[count++] = j;
            continue;
        }
        for (uint32_t i = count; i > at; i--) out[i] = out[i - 1];
        out[at] = pick;
        count++;
    }
}
