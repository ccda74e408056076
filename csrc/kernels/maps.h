/* Reading maps (csrc/nn/map.h): `count` pixels of `channels` floats (a multiple of 16) from in
 * (in_pixel floats apart) to out (out_pixel apart). */
#ifndef SCP_KERNELS_MAPS_H
#define SCP_KERNELS_MAPS_H

#include <stddef.h>

/* Coefficients of 16 channels and more, as in nn/map.h. */
struct scp_deferred_row {
    const float *scale, *shift, *slope;
};
struct scp_backward_row {
    struct scp_deferred_row deferred;
    const float *a, *b, *c; /* a NULL: dx = scale * g */
};

struct scp_maps_kernels {
    /* As it is; with norm and activation applied; a gradient, through both. */
    void (*copy)(float *out, size_t out_pixel, const float *in, size_t in_pixel, size_t count,
                 size_t channels);
    void (*deferred)(float *out, size_t out_pixel, const float *in, size_t in_pixel, size_t count,
                     size_t channels, const struct scp_deferred_row *row);
    void (*backward)(float *out, size_t out_pixel, const float *in, size_t in_pixel,
                     const float *raw, size_t raw_pixel, size_t count, size_t channels,
                     const struct scp_backward_row *row);
    /* sum[j] += in[i * 16 + j] over count vectors. */
    void (*add)(float *sum, const float *in, size_t count);
    /* A panel of 16 columns: packed[rows][16] = columns 16 panel .. of from[rows][columns], or of
     * the transpose of from[columns][rows]; zeros behind the last column. */
    void (*pack)(float *packed, const float *from, size_t rows, size_t columns, size_t panel);
    void (*pack_transposed)(float *packed, const float *from, size_t rows, size_t columns,
                            size_t panel);
};

#endif
