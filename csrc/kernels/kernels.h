/* The leaf kernels, one table per instruction set. Kernels return nothing, cannot fail and never
 * allocate; all sets give the same bits. Bodies are written once over f32x16 (simd/), in one
 * *_body.h file per family, and compiled once per set by <isa>.c. */
#ifndef SCP_KERNELS_H
#define SCP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

struct scp_kernels {
    const char *name;

    /* ---- dots_body.h: dot products. channels % 16 == 0. Summation order of every dot product:
     * 16 partial sums, channel c goes to partial c % 16 in ascending order, product and sum rounded
     * separately; then partial j + (j+8), j + (j+4), j + (j+2), j + (j+1). ---- */

    /* out[i] = <query, cell i>; cells 0, 1 are the vectors at row0, cells 2, 3 those at row1. */
    void (*dots_quad)(float out[4], const float *query, const float *row0, const float *row1,
                      size_t channels);
    /* out[q * stride + i] = <query q, cell i> for queries[n_queries][channels] and
     * cells[n_cells][channels]. */
    void (*dots_block)(float *out, size_t stride, const float *queries, size_t n_queries,
                       const float *cells, size_t n_cells, size_t channels);
};

/* The table of the instruction set in use (scp/cpu.h). */
const struct scp_kernels *scp_kernels(void);

extern const struct scp_kernels scp_kernels_portable;
#if defined(__x86_64__)
extern const struct scp_kernels scp_kernels_avx2;
extern const struct scp_kernels scp_kernels_avx512;
#elif defined(__aarch64__)
extern const struct scp_kernels scp_kernels_neon;
#endif

#endif
