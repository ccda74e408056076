/* Maps: how the network keeps a tensor, and how its readers see it.
 *
 * Layout: channels last. A map is [batch][height][width] pixels, each a vector of `stride` floats
 * of which the first `channels` count. Inside a plan `stride` is a multiple of 16 and the floats
 * beyond `channels` are zero, so that kernels work on whole vectors of 16 and never need a tail;
 * only the input of a network is dense (stride == channels). A part of the channels of a wider map
 * is a map too (data shifted, the stride of the wider map): concatenation needs no copy.
 *
 * Deferred norm and activation. They are not computed where they stand in the network: a map holds
 * the raw values x of what came before, and the reader applies
 *     t = scale[c] * x + shift[c],   z = t > 0 ? t : slope[c] * t
 * on the way. So a convolution, its norm and its ReLU cost one pass, and only x is kept for the
 * backward pass. */
#ifndef SCP_NN_MAP_H
#define SCP_NN_MAP_H

#include "../kernels/maps.h"
#include "scp/status.h"
#include "scp/threads.h"

#define SCP_LANES 16 /* floats of a vector */

struct scp_map {
    float *data;
    size_t batch, height, width, channels, stride;
    int part; /* channels of a wider map that share vectors with others: touch no more than them */
};

/* The coefficients [image][scp_lanes_up(channels)], zero beyond `channels`, `image_step` floats
 * from image to image (0: all images share them). scale NULL: the identity. */
struct scp_deferred {
    const float *scale, *shift, *slope;
    size_t image_step;
};

/* How a gradient is read. dz, the gradient with respect to z, is stored; the gradient with respect
 * to x follows from x itself, because every norm's backward is affine in it:
 *     g = dz * (t > 0 ? 1 : slope[c]),   dx = a[c] * g + b[c] * x + c[c]
 * raw.data NULL: the stored gradient is dx already. Otherwise raw has the shape of the gradient. a
 * NULL: dx = scale[c] * g (no norm to differentiate: b and c are zero). */
struct scp_backward {
    struct scp_map raw;
    struct scp_deferred deferred;
    const float *a, *b, *c; /* as the coefficients of deferred */
};

/* A map and how it is read: values through `deferred`, a gradient through `backward`, or (neither)
 * as it is stored. */
struct scp_source {
    struct scp_map map;
    struct scp_deferred deferred;
    struct scp_backward backward;
};

/* What the operations of this folder run with: as many floats as their _workspace says. */
struct scp_run {
    float *workspace;
    const struct scp_control *control; /* or NULL */
};

static inline size_t scp_min(size_t a, size_t b) {
    return a < b ? a : b;
}
static inline size_t scp_max(size_t a, size_t b) {
    return a > b ? a : b;
}
static inline size_t scp_ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}
/* Floats in whole vectors, which are cache lines too. */
static inline size_t scp_lanes_up(size_t floats) {
    return scp_ceil_div(floats, SCP_LANES) * SCP_LANES;
}
static inline float *scp_map_row(const struct scp_map *map, size_t image, size_t y) {
    return map->data + (image * map->height + y) * map->width * map->stride;
}
/* The coefficients of one image from channel `first` on. */
static inline struct scp_deferred_row scp_deferred_row(const struct scp_deferred *d, size_t image,
                                                       size_t first) {
    const size_t at = image * d->image_step + first;
    return (struct scp_deferred_row){d->scale + at, d->shift + at, d->slope + at};
}
static inline struct scp_backward_row scp_backward_row(const struct scp_backward *b, size_t image,
                                                       size_t first) {
    const size_t at = image * b->deferred.image_step + first;
    const struct scp_deferred_row deferred = scp_deferred_row(&b->deferred, image, first);
    if (!b->a) return (struct scp_backward_row){deferred, NULL, NULL, NULL};
    return (struct scp_backward_row){deferred, b->a + at, b->b + at, b->c + at};
}

#endif
