/* Passes between maps of different size: max pooling and bilinear resizing. */
#include <string.h>

#include "pass_rows.h"

struct work {
    const struct scp_map *out, *in, *out_grad, *in_grad;
    struct scp_pending pending;
    int accumulate;
    float *rows; /* scratch of the workers, row_floats each */
    size_t row_floats;
    /* Bilinear taps of each axis: output i lies between index0[i] and index1[i]. */
    unsigned *y0, *y1, *x0, *x1;
    float *wy, *wx;
};

/* ---- max pool ---- */

static enum scp_status pool_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t b = task / w->out->height, y = task % w->out->height;
    const struct scp_pending_row p = scp_pass_of_image(&w->pending, b, 0);
    (void)worker;
    scp_nn_kernels()->passes.pool(scp_map_row(w->out, b, y), w->out->stride,
                                  scp_map_row(w->in, b, 2 * y), scp_map_row(w->in, b, 2 * y + 1),
                                  w->in->stride, &p, w->out->width, scp_lanes_up(w->out->channels));
    return SCP_OK;
}

enum scp_status scp_pass_pool(const struct scp_map *out, const struct scp_map *in,
                              const struct scp_pending *pending, float *workspace,
                              const struct scp_control *control) {
    struct work w = {
        .out = out, .in = in, .pending = scp_pass_identity(workspace, pending, in->channels)};
    return scp_parallel(out->batch * out->height, pool_row, &w, control);
}

static void zero_pixels(const struct scp_map *map, size_t b, size_t y, size_t from) {
    float *row = scp_map_row(map, b, y);
    for (size_t x = from; x < map->width; x++)
        memset(row + x * map->stride, 0, scp_lanes_up(map->channels) * sizeof *row);
}

static enum scp_status pool_pull_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t height = w->out_grad->height, width = w->out_grad->width;
    const size_t b = task / height, y = task % height;
    const struct scp_pending_row p = scp_pass_of_image(&w->pending, b, 0);
    const struct scp_map *to = w->in_grad;
    (void)worker;
    scp_nn_kernels()->passes.pool_pull(
        scp_map_row(to, b, 2 * y), scp_map_row(to, b, 2 * y + 1), to->stride, w->accumulate,
        scp_map_row(w->out_grad, b, y), w->out_grad->stride, scp_map_row(w->in, b, 2 * y),
        scp_map_row(w->in, b, 2 * y + 1), w->in->stride, &p, width, scp_lanes_up(to->channels));
    if (!w->accumulate) { /* the odd row and column that pooling dropped */
        zero_pixels(to, b, 2 * y, 2 * width);
        zero_pixels(to, b, 2 * y + 1, 2 * width);
        if (y + 1 == height && to->height % 2) zero_pixels(to, b, to->height - 1, 0);
    }
    return SCP_OK;
}

enum scp_status scp_pass_pool_pull(const struct scp_map *in_grad, int accumulate,
                                   const struct scp_map *out_grad, const struct scp_map *in,
                                   const struct scp_pending *pending, float *workspace,
                                   const struct scp_control *control) {
    struct work w = {.in_grad = in_grad,
                     .out_grad = out_grad,
                     .in = in,
                     .accumulate = accumulate,
                     .pending = scp_pass_identity(workspace, pending, in->channels)};
    return scp_parallel(out_grad->batch * out_grad->height, pool_pull_row, &w, control);
}

/* ---- bilinear ---- */

static void taps(unsigned *index0, unsigned *index1, float *weight, size_t out, size_t in,
                 int align) {
    for (size_t i = 0; i < out; i++) {
        double at = align ? (out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0)
                          : ((double)i + 0.5) * (double)in / (double)out - 0.5;
        if (at < 0) at = 0;
        size_t low = (size_t)at;
        if (low > in - 1) low = in - 1;
        index0[i] = (unsigned)low;
        index1[i] = (unsigned)(low + 1 < in ? low + 1 : low);
        weight[i] = (float)(at - (double)low);
    }
}

static void set_taps(struct work *w, float *workspace, const struct scp_map *large,
                     const struct scp_map *small, int align) {
    const size_t lanes = scp_lanes_up(large->channels);
    w->wy = workspace + 3 * lanes;
    w->wx = w->wy + large->height;
    w->y0 = (unsigned *)(void *)(w->wx + large->width);
    w->y1 = w->y0 + large->height;
    w->x0 = w->y1 + large->height;
    w->x1 = w->x0 + large->width;
    w->row_floats = (large->width + 1) * lanes;
    w->rows = (float *)(void *)(w->x1 + large->width);
    taps(w->y0, w->y1, w->wy, large->height, small->height, align);
    taps(w->x0, w->x1, w->wx, large->width, small->width, align);
}

static enum scp_status resize_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *in = w->in, *out = w->out;
    const size_t b = task / out->height, y = task % out->height;
    const size_t lanes = scp_lanes_up(in->channels);
    const struct scp_pending_row p = scp_pass_of_image(&w->pending, b, 0);
    float *low = w->rows + worker * 2 * w->row_floats, *high = low + w->row_floats;
    const struct scp_nn_kernels *k = scp_nn_kernels();
    k->pending(low, lanes, scp_map_row(in, b, w->y0[y]), in->stride, in->width, lanes, &p);
    k->pending(high, lanes, scp_map_row(in, b, w->y1[y]), in->stride, in->width, lanes, &p);
    k->passes.blend(low, low, high, w->wy[y], in->width * lanes);
    k->passes.stretch(scp_map_row(out, b, y), out->stride, low, lanes, w->x0, w->x1, w->wx,
                      out->width, lanes);
    return SCP_OK;
}

enum scp_status scp_pass_resize(const struct scp_map *out, const struct scp_map *in,
                                const struct scp_pending *pending, int align, float *workspace,
                                const struct scp_control *control) {
    struct work w = {
        .out = out, .in = in, .pending = scp_pass_identity(workspace, pending, in->channels)};
    set_taps(&w, workspace, out, in, align);
    return scp_parallel(out->batch * out->height, resize_row, &w, control);
}

/* The adjoint: gathers, for one row of the input, the output rows that read it. */
static enum scp_status resize_pull_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_map *to = w->in_grad, *from = w->out_grad;
    const size_t b = task / to->height, y = task % to->height;
    const size_t lanes = scp_lanes_up(to->channels);
    float *sum = w->rows + worker * 2 * w->row_floats, *row = scp_map_row(to, b, y);
    const struct scp_nn_kernels *k = scp_nn_kernels();
    int some = 0;
    for (size_t i = 0; i < from->height; i++) {
        if (w->y0[i] > y) break; /* taps ascend */
        const float weight = (w->y0[i] == y ? 1 - w->wy[i] : 0) + (w->y1[i] == y ? w->wy[i] : 0);
        if (w->y1[i] < y || weight == 0) continue;
        k->passes.add(sum, lanes, some, scp_map_row(from, b, i), from->stride, weight, from->width,
                      lanes);
        some = 1;
    }
    if (!w->accumulate) zero_pixels(to, b, y, 0);
    for (size_t i = 0; some && i < from->width; i++) {
        k->passes.add(row + w->x0[i] * to->stride, 0, 1, sum + i * lanes, 0, 1 - w->wx[i], 1,
                      lanes);
        k->passes.add(row + w->x1[i] * to->stride, 0, 1, sum + i * lanes, 0, w->wx[i], 1, lanes);
    }
    return SCP_OK;
}

enum scp_status scp_pass_resize_pull(const struct scp_map *in_grad, int accumulate,
                                     const struct scp_map *out_grad, int align, float *workspace,
                                     const struct scp_control *control) {
    struct work w = {.in_grad = in_grad, .out_grad = out_grad, .accumulate = accumulate};
    set_taps(&w, workspace, out_grad, in_grad, align);
    return scp_parallel(in_grad->batch * in_grad->height, resize_pull_row, &w, control);
}
