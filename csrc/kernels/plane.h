/* Sums of distances in two dimensions, and what the neighbours of an image share by them (ZCore).
 * No pointer needs alignment; outputs may not overlap inputs. */
#ifndef SCP_KERNELS_PLANE_H
#define SCP_KERNELS_PLANE_H

#include <stddef.h>

struct scp_plane_kernels {
    /* The first i < n of the smallest |a[i] - pa| + |b[i] - pb|; n >= 1, all finite. */
    size_t (*nearest)(const float *a, const float *b, float pa, float pb, size_t n);
    /* out[i] = |a[i] - pa| + |b[i] - pb|. Returns the smallest, infinity where n = 0. */
    float (*distances)(float *out, const float *a, const float *b, float pa, float pb, size_t n);
    /* r[i] = (min / r[i])^4, the square squared. Returns their sum, float64 in 8 lanes
     * (coverage.h). r[i] >= min > 0. */
    double (*shares)(float *r, float min, size_t n);
    /* sums[i] -= scale * r[i], in float64. */
    void (*subtract)(double *sums, const float *r, double scale, size_t n);
};

#endif
