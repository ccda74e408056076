/* Counter-based randomness: Philox4x32-10 (Salmon et al., SC 2011). A number depends only on the
 * triple (seed, stream, position), never on threads or on the order of calls. */
#ifndef SCP_RANDOM_H
#define SCP_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "scp/status.h"
#include "scp/threads.h"

/* out[4] = Philox4x32-10 of counter[4] under key[2]. */
void scp_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* A stream of numbers: key = seed, high half of the counter = stream, low half = block index. */
struct scp_rng {
    uint64_t seed, stream, block;
    uint32_t buffer[4];
    unsigned used; /* words of buffer already handed out; 4 = empty */
};

void scp_rng_init(struct scp_rng *rng, uint64_t seed, uint64_t stream);

uint32_t scp_rng_u32(struct scp_rng *rng);

/* Uniform in [0, n), n > 0, without bias (Lemire's multiplication with rejection). */
uint32_t scp_rng_below(struct scp_rng *rng, uint32_t n);

/* Uniform in [0, 1), 53 bits, from two words (high word first). */
double scp_rng_uniform(struct scp_rng *rng);

/* m distinct numbers of [0, n) in out[m], ascending; every subset has the same chance (Floyd's
 * method). Needs m <= n. SCP_ENOMEM: a large m takes 8 to 16 m bytes. */
enum scp_status scp_rng_subset(struct scp_rng *rng, uint32_t *out, uint32_t m, uint32_t n,
                               const struct scp_control *control);

#endif
