/* Convolution of maps: sizes, workspace, and which of the forms a call takes. */
#include "conv.h"

#include <stdint.h>

#include "conv_winograd.h"
#include "conv_winograd_gradient.h"
#include "source.h"

static size_t size_of(size_t in, size_t kernel, const struct scp_conv *conv, size_t pad) {
    const size_t wide = (kernel - 1) * conv->dilation + 1;
    if (in == 0) return 0;
    if (conv->transposed) {
        const size_t full = (in - 1) * conv->stride + wide;
        return full > 2 * pad ? full - 2 * pad : 0;
    }
    return in + 2 * pad >= wide ? (in + 2 * pad - wide) / conv->stride + 1 : 0;
}

void scp_conv_size(size_t *height, size_t *width, const struct scp_conv *conv, size_t in_height,
                   size_t in_width) {
    *height = size_of(in_height, conv->kernel_y, conv, conv->pad_y);
    *width = size_of(in_width, conv->kernel_x, conv, conv->pad_x);
}

/* 1 x 1 at stride 1: pixels are pixels, however they lie. */
static int pointwise(const struct scp_conv *conv) {
    return conv->kernel_y == 1 && conv->kernel_x == 1 && conv->stride == 1 && conv->pad_y == 0 &&
           conv->pad_x == 0;
}

/* A convolution has a dense side, that of the input (of the output, if transposed), and a coarse
 * one. Products that write the coarse side are one gather; those that write the dense side are one
 * for each phase of the stride. */
static size_t phases_of(const struct scp_conv *conv, int dense) {
    return dense ? conv->stride * conv->stride : 1;
}

static void set_axes(struct scp_axis *y, struct scp_axis *x, const struct scp_conv *c,
                     const struct scp_map *target, int dense, size_t phase) {
    const struct scp_stencil sy = {c->kernel_y, c->stride, c->dilation, c->pad_y};
    const struct scp_stencil sx = {c->kernel_x, c->stride, c->dilation, c->pad_x};
    if (dense) {
        scp_axis_adjoint(y, target->height, &sy, phase / c->stride);
        scp_axis_adjoint(x, target->width, &sx, phase % c->stride);
    } else {
        scp_axis_forward(y, target->height, &sy);
        scp_axis_forward(x, target->width, &sx);
    }
}

/* Nothing to do. */
static int empty(const struct scp_axis *y, const struct scp_axis *x, size_t batch) {
    return !y->count || !x->count || !batch;
}

static int wins(const struct scp_product *p) {
    return scp_winograd_pays(&p->y, &p->x, p->source.map.channels, p->target.channels);
}

static size_t product_workspace(struct scp_product *p, const struct scp_conv *conv, int dense,
                                size_t threads) {
    size_t floats = 0;
    for (size_t phase = 0; phase < phases_of(conv, dense); phase++) {
        set_axes(&p->y, &p->x, conv, &p->target, dense, phase);
        if (empty(&p->y, &p->x, p->target.batch)) continue;
        floats = scp_max(floats, (wins(p) ? scp_product_winograd_workspace
                                          : scp_product_gemm_workspace)(p, threads));
    }
    return floats;
}

static enum scp_status product(struct scp_product *p, const struct scp_conv *conv, int dense,
                               const struct scp_run *run) {
    enum scp_status status = SCP_OK;
    p->kernel_x = conv->kernel_x;
    if (pointwise(conv)) {
        scp_map_flatten(&p->target);
        scp_source_flatten(&p->source);
    }
    for (size_t phase = 0; status == SCP_OK && phase < phases_of(conv, dense); phase++) {
        set_axes(&p->y, &p->x, conv, &p->target, dense, phase);
        if (empty(&p->y, &p->x, p->target.batch)) continue;
        status = (wins(p) ? scp_product_winograd : scp_product_gemm)(p, run);
    }
    return status;
}

/* Each position of the fixed (coarse) side meets all taps of the other. Returns whether Winograd
 * pays. */
static int set_gradient_axes(struct scp_gradient *g, const struct scp_conv *conv) {
    set_axes(&g->y, &g->x, conv, &g->fixed.map, 0, 0);
    return scp_winograd_pays(&g->y, &g->x, g->source.map.channels, g->fixed.map.channels);
}

static double factor(size_t size) {
    return size ? (double)size : 1;
}

/* Whether sizes are far from overflow: no map, no workspace made from it beyond 2^56 floats. */
static int bounded(const struct scp_conv *c, size_t batch, size_t height, size_t width,
                   size_t threads) {
    const double kernel = factor(c->kernel_y) * factor(c->kernel_x) * factor(c->dilation);
    const double pixels = (factor(height) + 2 * (double)c->pad_y) *
                          (factor(width) + 2 * (double)c->pad_x) * factor(c->stride);
    const double channels = (double)scp_lanes_up(scp_max(c->in, c->out));
    return channels * kernel * factor(batch) * pixels * factor(threads) < 7.2e16;
}

size_t scp_conv_workspace(const struct scp_conv *conv, size_t batch, size_t in_height,
                          size_t in_width, int train, size_t threads) {
    if (!bounded(conv, batch, in_height, in_width, threads)) return SIZE_MAX;
    if (pointwise(conv)) {
        in_width *= in_height;
        in_height = 1;
    }
    struct scp_map x = {NULL, batch, in_height, in_width, conv->in, conv->in, 0}, y = x;
    scp_conv_size(&y.height, &y.width, conv, in_height, in_width);
    y.channels = y.stride = conv->out;
    struct scp_product forward = {.target = y, .source.map = x};
    struct scp_product backward = {.target = x, .source.map = y};
    const size_t floats = product_workspace(&forward, conv, conv->transposed, threads);
    if (!train) return floats;
    struct scp_gradient gradient = {.source.map = conv->transposed ? y : x,
                                    .fixed.map = conv->transposed ? x : y};
    const int winograd = set_gradient_axes(&gradient, conv);
    const size_t of_gradient = empty(&gradient.y, &gradient.x, batch)
                                   ? 0
                                   : (winograd ? scp_gradient_winograd_workspace
                                               : scp_gradient_gemm_workspace)(&gradient, threads);
    return scp_max(scp_max(floats, of_gradient),
                   product_workspace(&backward, conv, !conv->transposed, threads));
}

enum scp_status scp_conv_forward(const struct scp_map *y, const struct scp_source *x,
                                 const float *weights, const float *bias,
                                 const struct scp_conv *conv, const struct scp_run *run) {
    struct scp_product p = {.target = *y, .source = *x, .weights = weights, .bias = bias};
    return product(&p, conv, conv->transposed, run);
}

enum scp_status scp_conv_backward_data(const struct scp_map *dz, int accumulate,
                                       const struct scp_source *dy, const float *weights,
                                       const struct scp_conv *conv, const struct scp_run *run) {
    struct scp_product p = {
        .target = *dz, .accumulate = accumulate, .source = *dy, .weights = weights, .swap = 1};
    return product(&p, conv, !conv->transposed, run);
}

enum scp_status scp_conv_backward_weights(float *weight_grads, float *bias_grads,
                                          const struct scp_source *x, const struct scp_source *dy,
                                          const struct scp_conv *conv, const struct scp_run *run) {
    struct scp_gradient g = {.source = conv->transposed ? *dy : *x,
                             .fixed = conv->transposed ? *x : *dy,
                             .gradients = weight_grads,
                             .bias_grads = conv->transposed ? NULL : bias_grads,
                             .swap = conv->transposed};
    if (pointwise(conv)) {
        scp_source_flatten(&g.source);
        scp_source_flatten(&g.fixed);
    }
    const int winograd = set_gradient_axes(&g, conv);
    if (empty(&g.y, &g.x, g.fixed.map.batch)) return SCP_OK;
    const enum scp_status status = (winograd ? scp_gradient_winograd : scp_gradient_gemm)(&g, run);
    if (status != SCP_OK || !conv->transposed || !bias_grads) return status;
    return scp_source_sums(bias_grads, &g.source, run->control);
}
