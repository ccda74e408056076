/* Counted allocation. All memory of the core comes from here, so that tests can assert that nothing
 * is left and can make any single allocation fail. Thread-safe. */
#ifndef SCP_ALLOC_H
#define SCP_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#define SCP_ALIGNMENT 64 /* bytes; a cache line and a 512-bit vector */

/* count * size bytes, aligned to SCP_ALIGNMENT. NULL when memory is short or the product overflows.
 * A zero-byte request returns a valid pointer. */
void *scp_alloc(size_t count, size_t size);

/* The same, filled with zeros. */
void *scp_calloc(size_t count, size_t size);

/* Frees what the two above returned; NULL is legal. */
void scp_free(void *pointer);

/* Multiplies sizes: 0 and the product in *out, or non-zero on overflow. */
int scp_size_mul(size_t a, size_t b, size_t *out);

/* Bytes now held, and the largest value since the last reset of the peak. */
size_t scp_alloc_outstanding(void);
size_t scp_alloc_peak(void);
void scp_alloc_reset_peak(void);

/* Test hook: the n-th allocation from now (1 = the next) fails, once. 0 switches it off. */
void scp_alloc_fail_at(uint64_t n);

#endif
