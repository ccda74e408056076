/* Leaf kernels over rows of maps (csrc/nn/map.h): `pixels` vectors of `lanes` floats, lanes a
 * multiple of 16, a stride from pixel to pixel. Coefficients hold one float per lane. Sums over
 * pixels: two partial sums, even and odd pixels, each in ascending order, then their sum. */
#ifndef SCP_KERNELS_PASSES_H
#define SCP_KERNELS_PASSES_H

#include <stdint.h>

#include "maps.h"

/* The words of Philox4x32-10 (scp/random.h) from the start of a stream: word i drops value i where
 * its upper 24 bits, over 2^24, lie below rate. */
struct scp_draws {
    uint64_t seed, stream;
    float rate;
};

struct scp_passes_kernels {
    /* sum = sum of (in - origin), squares = sum of (in - origin)^2; origin: one float per lane. */
    void (*moments)(float *sum, float *squares, const float *origin, const float *in, size_t stride,
                    size_t pixels, size_t lanes);
    /* sum = sum of g, product = sum of g * (raw - origin), g = grad * (t > 0 ? 1 : slope), t =
     * scale * raw + shift. */
    void (*backward_sums)(float *sum, float *product, const float *origin, const float *grad,
                          size_t grad_stride, const float *raw, size_t raw_stride,
                          const struct scp_deferred_row *row, size_t pixels, size_t lanes);
    /* out[i] = max of z at pixels 2i, 2i + 1 of both rows; z as maps.h reads it. */
    void (*pool)(float *out, size_t out_stride, const float *row0, const float *row1, size_t stride,
                 const struct scp_deferred_row *row, size_t pixels, size_t lanes);
    /* The gradient of pool: goes to the first of the four (row by row) that reaches the maximum.
     * Writes or adds to 2 * pixels pixels of both gradient rows. */
    void (*pool_backward)(float *grad0, float *grad1, size_t grad_stride, int accumulate,
                          const float *out_grad, size_t out_stride, const float *row0,
                          const float *row1, size_t stride, const struct scp_deferred_row *row,
                          size_t pixels, size_t lanes);
    /* out[i] = max of z at pixels 2i - 1, 2i, 2i + 1 of the three rows, as far as they lie inside;
     * a row outside is NULL. `width` pixels in each. */
    void (*pool3)(float *out, size_t out_stride, const float *const rows[3], size_t stride,
                  size_t width, const struct scp_deferred_row *row, size_t pixels, size_t lanes);
    /* Adds the gradient of pool3 to the pixels of row `line` of the three: it goes to the first of
     * the nine (row by row) that reaches the maximum. */
    void (*pool3_backward)(float *grad, size_t grad_stride, size_t line, const float *out_grad,
                           size_t out_stride, const float *const rows[3], size_t stride,
                           size_t width, const struct scp_deferred_row *row, size_t pixels,
                           size_t lanes);
    /* out (+)= z * (0 or 1 / (1 - rate)), by draw i for channel i of the row's channels. */
    void (*dropout)(float *out, size_t out_stride, int accumulate, const float *in,
                    size_t in_stride, const struct scp_deferred_row *row, size_t pixels,
                    size_t channels, const struct scp_draws *draws);
    /* out = in0 + weight * (in1 - in0), count a multiple of 16. */
    void (*blend)(float *out, const float *in0, const float *in1, float weight, size_t count);
    /* out pixel i = blend of the pixels index0[i] and index1[i] of in by weight[i]. */
    void (*stretch)(float *out, size_t out_stride, const float *in, size_t in_stride,
                    const unsigned *index0, const unsigned *index1, const float *weight,
                    size_t pixels, size_t lanes);
    /* out (+)= weight * in over pixels. */
    void (*add)(float *out, size_t out_stride, int accumulate, const float *in, size_t in_stride,
                float weight, size_t pixels, size_t lanes);
};

#endif
