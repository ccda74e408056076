/* Which source positions a target position of a convolution reads: axis by axis, and in tiles, the
 * rectangles of targets whose source fits in the caches. */
#ifndef SCP_NN_CONV_AXIS_H
#define SCP_NN_CONV_AXIS_H

#include "map.h"

/* Target position place + t * place_step, t < count, reads the source at origin + t * stride +
 * m * step for tap m < taps, with the weight first + m * weight_step. */
struct scp_axis {
    ptrdiff_t origin;
    size_t count, stride, step, taps;
    size_t place, place_step;
    ptrdiff_t first, weight_step;
};

/* The numbers that the layer gives to one of its axes. */
struct scp_stencil {
    size_t kernel, stride, dilation, pad;
};

/* The axis of a convolution (target: its output). */
void scp_axis_forward(struct scp_axis *axis, size_t out, const struct scp_stencil *stencil);
/* The axis of its adjoint (target: its input, `in` long): the targets with position % stride ==
 * phase. */
void scp_axis_adjoint(struct scp_axis *axis, size_t in, const struct scp_stencil *stencil,
                      size_t phase);

/* Source positions that `count` targets in a row read. */
static inline size_t scp_axis_span(const struct scp_axis *axis, size_t count) {
    return (count - 1) * axis->stride + (axis->taps ? (axis->taps - 1) * axis->step : 0) + 1;
}
/* The first source position that target t reads. */
static inline ptrdiff_t scp_axis_source(const struct scp_axis *axis, size_t t) {
    return axis->origin + (ptrdiff_t)(t * axis->stride);
}

struct scp_tiles {
    const struct scp_axis *y, *x;
    size_t height, width;       /* of a tile, at most, in targets */
    size_t down, across, count; /* tiles of an image, and of all images */
    size_t pixel;               /* floats of a source pixel in a strip */
    size_t columns, strip;      /* pixels in a line of a strip, floats of it all */
};
struct scp_tile {
    size_t image, y, x, height, width;
};

/* Tiles whose source (`pixel` floats a position), with `more` floats a target, takes about `room`
 * floats, and the fewest source pixels for each target; at least 16 tasks, if each tile is `tasks`
 * of them. The axes have to outlive the tiles. */
void scp_tiles_divide(struct scp_tiles *tiles, const struct scp_axis *y, const struct scp_axis *x,
                      size_t batch, size_t pixel, size_t more, size_t room, size_t tasks);
struct scp_tile scp_tiles_at(const struct scp_tiles *tiles, size_t index);

/* The source of a tile: pixel (0, 0) lies at `first`. Taps in a row of the kernel form `across`
 * runs of `length` floats: one run where their pixels touch. */
struct scp_strip {
    const float *first;
    size_t pixel, line, across, length;
};
/* Copied to `floats`, zeros outside the map. */
struct scp_strip scp_tiles_read(const struct scp_tiles *tiles, const struct scp_tile *tile,
                                const struct scp_source *source, float *floats);

#endif
