/* Maps: how the network keeps a tensor.
 *
 * Layout: channels last. A map is [batch][height][width] pixels, each a vector of `stride` floats
 * of which the first `channels` count. Inside a plan `stride` is a multiple of 16 and the floats
 * beyond `channels` are zero, so that kernels work on whole vectors of 16 and never need a tail;
 * only the input of a network is dense (stride == channels). A part of the channels of a wider map
 * is a map too (data shifted, the stride of the wider map): concatenation needs no copy.
 *
 * Pending transform. Normalisation and activation are not computed where they stand in the network:
 * a map holds the raw values x of what came before, and whoever reads it applies
 *     t = scale[c] * x + shift[c],   z = t > 0 ? t : slope[c] * t
 * on the way. So a convolution, its norm and its ReLU cost one pass, and only x is kept for the
 * backward pass. */
#ifndef SCP_NN_MAP_H
#define SCP_NN_MAP_H

#include <stddef.h>

#define SCP_LANES 16 /* floats of a vector */

static inline size_t scp_lanes_up(size_t channels) {
    return (channels + SCP_LANES - 1) / SCP_LANES * SCP_LANES;
}

struct scp_map {
    float *data;
    size_t batch, height, width, channels, stride;
};

/* Coefficients of channel c of image b lie at [b * image_step + c]; image_step is 0 when all images
 * share them. Each holds scp_lanes_up(channels) floats, zero beyond `channels`. scale NULL: the
 * identity (the others are not looked at). */
struct scp_pending {
    const float *scale, *shift, *slope;
    size_t image_step;
};

/* How a gradient is read. dz, the gradient with respect to z, is stored; the gradient with respect
 * to x follows from x itself, because every norm's backward is affine in it:
 *     g = dz * (t > 0 ? 1 : slope[c]),   dx = a[c] * g + b[c] * x + c[c]
 * raw.data NULL: the stored gradient is dx already. Otherwise raw has the shape of the gradient. a
 * NULL: dx = scale[c] * g (no norm to differentiate: b and c are zero). */
struct scp_pull {
    struct scp_map raw;
    struct scp_pending pending;
    const float *a, *b, *c; /* as the coefficients of pending */
};

#endif
