/* The leaf kernels, one table per instruction set. Kernels return nothing, cannot fail and never
 * allocate; all sets give the same bits. Bodies are written once over f32x16 (simd/), in one
 * *_body.h file per family, and compiled once per set by <isa>.c. */
#ifndef SCP_KERNELS_H
#define SCP_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define SCP_TINY 1.17549435e-38f

/* The similarity of a query and a cell at one level, from the dot product of their unit vectors and
 * their norms: clamp(dot * n / (n + epsilon), 0, 1), and 0 where n = 0. */
static inline float scp_similarity(float dot, float query_norm, float cell_norm, float epsilon) {
    const float n = query_norm * cell_norm, m = n + epsilon;
    const float c = dot * (n / (m > SCP_TINY ? m : SCP_TINY));
    return c > 0 ? (c < 1 ? c : 1) : 0;
}

struct scp_kernels {
    const char *name;

    /* ---- dots_body.h: dot products. channels % 16 == 0. Summation order of every dot product:
     * 16 partial sums, channel c goes to partial c % 16 in ascending order, product and sum rounded
     * separately; then partial j + (j+8), j + (j+4), j + (j+2), j + (j+1). ---- */

    /* out[i] = <query, cell i>; cells 0, 1 are the vectors at row0, cells 2, 3 those at row1. */
    void (*dots_quad)(float out[4], const float *query, const float *row0, const float *row1,
                      size_t channels);
    /* One dot product. */
    float (*dot)(const float *query, const float *cell, size_t channels);
    /* out[i] = <query i, vector cells[i]>; queries and vectors are [..][channels]. */
    void (*dots_at)(float *out, const float *queries, const float *vectors, const uint32_t *cells,
                    size_t count, size_t channels);
    /* out[q * stride + i] = <query q, cell i>; query q lies at queries + q * query_stride, cells
     * are [n_cells][channels]. */
    void (*dots_block)(float *out, size_t stride, const float *queries, size_t query_stride,
                       size_t n_queries, const float *cells, size_t n_cells, size_t channels);

    /* In place: row[i] = scp_similarity(row[i], query_norm, norms[i], epsilon), times
     * parents[i / 2] unless parents is NULL. Returns the largest value, at least 0. */
    float (*combine)(float *row, const float *parents, float query_norm, const float *norms,
                     float epsilon, size_t count);

    /* ---- coverage_body.h: sums of best values over clients. float64 sums use 8 lanes: client i
     * goes to lane i % 8 in ascending order, then lane j + (j+4), j + (j+2), j + (j+1). No pointer
     * needs alignment; outputs may not overlap inputs. ---- */

    /* best[i] = max(best[i], row[i]). */
    void (*coverage_best)(float *best, const float *row, size_t n);
    /* sum_i weights[i] * max(base[i], max_k values[set[k] * stride + i]), float64 in 8 lanes. */
    double (*coverage_score)(const double *weights, const float *base, const float *values,
                             size_t stride, const uint32_t *set, size_t count, size_t n);
    /* sum_i max(weights[i] * row[i] - threshold[i], 0), float64 in 8 lanes. */
    double (*coverage_weighted_excess)(const double *weights, const double *threshold,
                                       const float *row, size_t n);
    /* out[k] = sum_i max(rk[i] - threshold[i], 0): float32 over 512 clients (32 per lane), the
     * partial sums in float64. Relative error at most 38 * 2^-24. */
    void (*coverage_excess4)(double out[4], const float *r0, const float *r1, const float *r2,
                             const float *r3, const float *threshold, size_t n);
    /* sums[s] += sum_{i < n} max(base[i], max_{k < m} values[sets[s][k] * stride + i]), the n
     * clients in float32. Error at most (n / 64 + 8) * 2^-24 * sum of the largest |value|. */
    void (*coverage_draws)(double *sums, const float *base, const float *values, size_t stride,
                           size_t n, const uint32_t *sets, size_t m, size_t n_sets);
    /* sums[0] = sum_i w[i] * max(v - d1[i], 0), sums[1] = sum_i w[i] * max(min(v, d1[i]) - d2[i],
     * 0) with v = row[client[i]]; float64 in 8 lanes. */
    void (*coverage_exchange)(double sums[2], const float *row, const uint32_t *client,
                              const float *d1, const float *d2, const double *w, size_t n);
    /* counts[i] += row[i] > threshold[i]. */
    void (*coverage_count)(float *counts, const float *row, const float *threshold, size_t n);
    /* sum_i x[i], float64 in 8 lanes. */
    double (*coverage_sum)(const float *x, size_t n);
    /* One smoothed subgradient: direction[i] = 1 - counts[i] + memory * direction[i], but 0 where
     * it is positive and lambda[i] <= floor[i]. Returns its squared length, float64 in 8 lanes. */
    double (*coverage_direct)(float *direction, const float *counts, const float *lambda,
                              const float *floor, float memory, size_t n);
    /* lambda[i] = max(lambda[i] - length * direction[i], floor[i]). */
    void (*coverage_step)(float *lambda, const float *direction, const float *floor, float length,
                          size_t n);
    /* low[i] = min(low[i], row[i]), high[i] = max(high[i], |row[i]|). */
    void (*coverage_range)(float *low, float *high, const float *row, size_t n);
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
