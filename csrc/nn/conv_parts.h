/* What the parts of the convolution share: index arithmetic of one axis, maps read through a
 * pending transform or a pull into zero-bordered strips, and the product of a strip with packed
 * weights. */
#ifndef SCP_NN_CONV_PARTS_H
#define SCP_NN_CONV_PARTS_H

#include "../kernels/nn.h"
#include "conv.h"

/* One axis of a gather: target position place + t * place_step, t < count, reads the source at
 * origin + t * stride + m * step for tap m < taps, with the weight first + m * weight_step. */
struct scp_axis {
    ptrdiff_t origin;
    size_t count, stride, step, taps;
    size_t place, place_step;
    ptrdiff_t first, weight_step;
};

/* The axis of a convolution (target: its output). */
void scp_axis_forward(struct scp_axis *axis, size_t out, size_t kernel, size_t stride,
                      size_t dilation, size_t pad);
/* The axis of its adjoint (target: its input, `in` long): the targets with position % stride ==
 * phase. */
void scp_axis_adjoint(struct scp_axis *axis, size_t in, size_t kernel, size_t stride,
                      size_t dilation, size_t pad, size_t phase);
/* Every position that the axis reads lies in a source of that length. */
int scp_axis_inside(const struct scp_axis *axis, size_t length);

/* Source positions that `count` targets in a row read. */
static inline size_t scp_axis_span(const struct scp_axis *axis, size_t count) {
    return (count - 1) * axis->stride + (axis->taps ? (axis->taps - 1) * axis->step : 0) + 1;
}
/* A tile of targets whose source (`pixel` floats a position), with `more` floats a target, takes
 * about `room` floats, and the fewest source pixels for each target. */
void scp_axis_tile(size_t *tile_y, size_t *tile_x, const struct scp_axis *y,
                   const struct scp_axis *x, size_t pixel, size_t more, size_t room);

/* A map and how it is read: pending (scale not NULL), pull (raw.data not NULL), or as it is. */
struct scp_source {
    struct scp_map map;
    struct scp_pending pending;
    struct scp_pull pull;
};
void scp_source_pending(struct scp_source *source, const struct scp_map *map,
                        const struct scp_pending *pending);
void scp_source_pull(struct scp_source *source, const struct scp_map *map,
                     const struct scp_pull *pull);
int scp_source_identity(const struct scp_source *source);
/* The same pixels as one row per image. */
void scp_source_flatten(struct scp_source *source);
void scp_map_flatten(struct scp_map *map);

/* `count` pixels of row y from column x on, channels first .. first + channels - 1, to out. Pixels
 * outside the map are zeros. channels is a multiple of 16 or reaches the map's last; the map has
 * room for whole vectors, or else `out_pixel` floats get scalars. */
void scp_source_row(float *out, size_t out_pixel, const struct scp_nn_kernels *kernels,
                    const struct scp_source *source, size_t image, ptrdiff_t y, ptrdiff_t x,
                    size_t count, size_t first, size_t channels);

/* Floats from pixel to pixel of a strip of that map. */
size_t scp_strip_pixel(const struct scp_map *map);

/* Weights [kernel_y][kernel_x][a][b] as the axes read them. swap: a are the outputs and b the
 * channels, else the other way. */
struct scp_weights {
    const float *data;
    size_t kernel_x, channels, outputs;
    const struct scp_axis *y, *x;
    int swap;
};
/* One panel: packed[k][16], k = (tap y, tap x, channel), columns the outputs from 16 panel on. */
void scp_conv_pack(float *packed, const struct scp_weights *weights, size_t panel,
                   const struct scp_nn_kernels *kernels);

/* Target map = (or +=) the gather of the source over both axes: floats of workspace, and the work.
 * bias may be NULL. */
size_t scp_gather_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                            size_t channels, size_t outputs, size_t threads);
enum scp_status scp_gather(const struct scp_map *target, int accumulate,
                           const struct scp_source *source, const struct scp_axis *y,
                           const struct scp_axis *x, const float *weights, size_t kernel_x,
                           int swap, const float *bias, float *workspace,
                           const struct scp_control *control);

/* gradients[channels][outputs] (swap: [outputs][channels]) of one tap += those of channel k and the
 * outputs from o on, 16 at most. */
static inline void scp_gradient_add(float *gradients, const float *sums, size_t k, size_t o,
                                    size_t channels, size_t outputs, int swap) {
    const size_t count = outputs - o < 16 ? outputs - o : 16;
    float *to = gradients + (swap ? o * channels + k : k * outputs + o);
    if (swap)
        for (size_t j = 0; j < count; j++) to[j * channels] += sums[j];
    else if (count == 16) /* a known size: whole vectors */
        for (size_t j = 0; j < 16; j++) to[j] += sums[j];
    else
        for (size_t j = 0; j < count; j++) to[j] += sums[j];
}

/* Partial gradients sums[parts][panels][steps][16], steps = taps x channels, and of the biases
 * bias[parts][panels][16] (bias_grads NULL: none), added up in order to gradients as below. */
struct scp_partial {
    const float *sums, *bias;
    size_t parts, panels, steps, channels, outputs;
    int swap;
    float *gradients, *bias_grads;
};
enum scp_status scp_partial_add(struct scp_partial *partial);

/* gradients[tap y][tap x][channels][outputs] (swap: [outputs][channels]) += the sums over pixels of
 * source (at every tap) times fixed, and bias_grads[outputs] += sums of fixed (NULL: none). */
size_t scp_correlate_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                               size_t channels, size_t outputs, size_t threads);
enum scp_status scp_correlate(float *gradients, int swap, float *bias_grads,
                              const struct scp_source *source, const struct scp_source *fixed,
                              const struct scp_axis *y, const struct scp_axis *x, float *workspace,
                              const struct scp_control *control);

/* The same two for three taps at stride and step 1, as Winograd F(4x4, 3x3). */
int scp_winograd_pays(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                      size_t channels, size_t outputs);
size_t scp_winograd_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                              size_t channels, size_t outputs, size_t threads);
enum scp_status scp_winograd(const struct scp_map *target, int accumulate,
                             const struct scp_source *source, const struct scp_axis *y,
                             const struct scp_axis *x, const float *weights, size_t kernel_x,
                             int swap, const float *bias, float *workspace,
                             const struct scp_control *control);
size_t scp_winograd_correlate_workspace(size_t batch, const struct scp_axis *y,
                                        const struct scp_axis *x, size_t channels, size_t outputs,
                                        size_t threads);
enum scp_status scp_winograd_correlate(float *gradients, int swap, float *bias_grads,
                                       const struct scp_source *source,
                                       const struct scp_source *fixed, const struct scp_axis *y,
                                       const struct scp_axis *x, float *workspace,
                                       const struct scp_control *control);

/* sums[channels] += the sums of the source over all pixels. */
enum scp_status scp_source_sums(float *sums, const struct scp_source *source,
                                const struct scp_control *control);

/* Pixels of a map that will be needed soon; matrix products ask for their lines on the way. */
struct scp_fetch {
    const float *first;
    size_t rows, columns, line, pixel, vectors;
};
/* The pixels of a rectangle (which may reach beyond the map), channels first to first + 16 vectors.
 */
void scp_fetch_begin(struct scp_fetch *fetch, const struct scp_map *map, size_t image, ptrdiff_t y,
                     ptrdiff_t x, size_t rows, size_t columns, size_t first, size_t vectors);
/* The same for all that a source reads: its map, and the raw values of its pull. */
void scp_fetch_source(struct scp_fetch fetch[2], const struct scp_source *source, size_t image,
                      ptrdiff_t y, ptrdiff_t x, size_t rows, size_t columns, size_t first,
                      size_t vectors);
/* The lines of share `part` of `parts` of each of `count` fetches, as far as there is room. */
void scp_fetch_share(struct scp_ask *ask, const struct scp_fetch *fetches, size_t count,
                     size_t part, size_t parts);

/* scp_parallel, but on the calling thread alone where waking others costs more: below some 10^5
 * `floats` to go through. */
static inline enum scp_status scp_conv_parallel(size_t floats, size_t count, scp_task run,
                                                void *context) {
    if (floats > 150000) return scp_parallel(count, run, context, NULL);
    for (size_t task = 0; task < count; task++) run(context, task, 0);
    return SCP_OK;
}

/* Panels of 16 outputs multiplied at once: pixels are read once for all of them. */
#define SCP_PANELS 2

/* Floats in whole cache lines. */
static inline size_t scp_line_up(size_t floats) {
    return (floats + 15) / 16 * 16;
}
static inline size_t scp_min(size_t a, size_t b) {
    return a < b ? a : b;
}
static inline size_t scp_max(size_t a, size_t b) {
    return a > b ? a : b;
}
static inline size_t scp_ceil_div(size_t a, size_t b) {
    return (a + b - 1) / b;
}

#endif
