/* Sums of best values over clients. float64 sums use 8 lanes: client i goes to lane i % 8 in
 * ascending order, then lane j + (j+4), j + (j+2), j + (j+1). No pointer needs alignment; outputs
 * may not overlap inputs. */
#ifndef SCP_KERNELS_COVERAGE_H
#define SCP_KERNELS_COVERAGE_H

#include <stddef.h>
#include <stdint.h>

struct scp_coverage_kernels {
    /* best[i] = max(best[i], row[i]). */
    void (*best)(float *best, const float *row, size_t n);
    /* sum_i weights[i] * max(base[i], max_k values[set[k] * stride + i]), float64 in 8 lanes. */
    double (*score)(const double *weights, const float *base, const float *values, size_t stride,
                    const uint32_t *set, size_t count, size_t n);
    /* sum_i max(weights[i] * row[i] - threshold[i], 0), float64 in 8 lanes. */
    double (*weighted_excess)(const double *weights, const double *threshold, const float *row,
                              size_t n);
    /* out[k] = sum_i max(rk[i] - threshold[i], 0): float32 over 512 clients (32 per lane), the
     * partial sums in float64. Relative error at most 38 * 2^-24. */
    void (*excess4)(double out[4], const float *r0, const float *r1, const float *r2,
                    const float *r3, const float *threshold, size_t n);
    /* sums[s] += sum_{i < n} max(base[i], max_{k < m} values[sets[s][k] * stride + i]), the n
     * clients in float32. Error at most (n / 64 + 8) * 2^-24 * sum of the largest |value|. */
    void (*draws)(double *sums, const float *base, const float *values, size_t stride, size_t n,
                  const uint32_t *sets, size_t m, size_t n_sets);
    /* sums[0] = sum_i w[i] * max(v - d1[i], 0), sums[1] = sum_i w[i] * max(min(v, d1[i]) - d2[i],
     * 0) with v = row[client[i]]; float64 in 8 lanes. */
    void (*exchange)(double sums[2], const float *row, const uint32_t *client, const float *d1,
                     const float *d2, const double *w, size_t n);
    /* counts[i] += row[i] > threshold[i]. */
    void (*count)(float *counts, const float *row, const float *threshold, size_t n);
    /* sum_i x[i], float64 in 8 lanes. */
    double (*sum)(const float *x, size_t n);
    /* One smoothed subgradient: direction[i] = 1 - counts[i] + memory * direction[i], but 0 where
     * it is positive and lambda[i] <= floor[i]. Returns its squared length, float64 in 8 lanes. */
    double (*direct)(float *direction, const float *counts, const float *lambda, const float *floor,
                     float memory, size_t n);
    /* lambda[i] = max(lambda[i] - length * direction[i], floor[i]). */
    void (*step)(float *lambda, const float *direction, const float *floor, float length, size_t n);
    /* low[i] = min(low[i], row[i]), high[i] = max(high[i], |row[i]|). */
    void (*range)(float *low, float *high, const float *row, size_t n);
};

#endif
