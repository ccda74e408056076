/* Convolution of maps: sizes, workspace, and which of the forms a call takes. */
#include "conv_parts.h"

#include <stdint.h>

static size_t extent(size_t kernel, size_t dilation) {
    return (kernel - 1) * dilation + 1;
}

static size_t size_of(size_t in, size_t kernel, const struct scp_conv *conv, size_t pad) {
    const size_t wide = extent(kernel, conv->dilation);
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

/* A transposed convolution is the adjoint of a convolution whose input is larger: `dense` is the
 * side at stride 1, `coarse` the other. */
struct sides {
    size_t dense_height, dense_width, coarse_height, coarse_width;
};

static struct sides sides_of(const struct scp_conv *conv, size_t height, size_t width) {
    size_t out_height, out_width;
    scp_conv_size(&out_height, &out_width, conv, height, width);
    return conv->transposed ? (struct sides){out_height, out_width, height, width}
                            : (struct sides){height, width, out_height, out_width};
}

/* 1 x 1 at stride 1: pixels are pixels, however they lie. */
static int pointwise(const struct scp_conv *conv) {
    return conv->kernel_y == 1 && conv->kernel_x == 1 && conv->stride == 1 && conv->pad_y == 0 &&
           conv->pad_x == 0;
}

static void coarse_axes(struct scp_axis *y, struct scp_axis *x, const struct scp_conv *conv,
                        const struct sides *sides) {
    scp_axis_forward(y, sides->coarse_height, conv->kernel_y, conv->stride, conv->dilation,
                     conv->pad_y);
    scp_axis_forward(x, sides->coarse_width, conv->kernel_x, conv->stride, conv->dilation,
                     conv->pad_x);
}

static void dense_axes(struct scp_axis *y, struct scp_axis *x, const struct scp_conv *conv,
                       const struct sides *sides, size_t phase) {
    scp_axis_adjoint(y, sides->dense_height, conv->kernel_y, conv->stride, conv->dilation,
                     conv->pad_y, phase / conv->stride);
    scp_axis_adjoint(x, sides->dense_width, conv->kernel_x, conv->stride, conv->dilation,
                     conv->pad_x, phase % conv->stride);
}

/* To the coarse side, or to the dense side. */
static size_t gather_workspace(const struct scp_conv *conv, const struct sides *sides, int dense,
                               size_t batch, size_t channels, size_t outputs, size_t threads) {
    struct scp_axis y, x;
    if (conv->stride == 1) {
        if (dense)
            dense_axes(&y, &x, conv, sides, 0);
        else
            coarse_axes(&y, &x, conv, sides);
        if (scp_winograd_pays(batch, &y, &x, channels, outputs))
            return scp_winograd_workspace(batch, &y, &x, channels, outputs, threads);
    }
    if (!dense) {
        coarse_axes(&y, &x, conv, sides);
        return scp_gather_workspace(batch, &y, &x, channels, outputs, threads);
    }
    size_t most = 0;
    for (size_t phase = 0; phase < conv->stride * conv->stride; phase++) {
        dense_axes(&y, &x, conv, sides, phase);
        most = scp_max(most, scp_gather_workspace(batch, &y, &x, channels, outputs, threads));
    }
    return most;
}

/* Whether sizes are far from overflow: no map, and no workspace made from it, beyond 2^56 floats.
 */
static int bounded(const struct scp_conv *conv, size_t batch, size_t height, size_t width,
                   size_t threads) {
    const size_t factors[] = {scp_lanes_up(scp_max(conv->in, conv->out)),
                              scp_max(conv->kernel_y, 1),
                              scp_max(conv->kernel_x, 1),
                              scp_max(batch, 1),
                              scp_max(height, 1) + 2 * conv->pad_y,
                              scp_max(width, 1) + 2 * conv->pad_x,
                              scp_max(conv->stride, 1),
                              scp_max(conv->dilation, 1),
                              scp_max(threads, 1)};
    double product = 1;
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) product *= (double)factors[i];
    return product < 7.2e16;
}

size_t scp_conv_workspace(const struct scp_conv *conv, size_t batch, size_t in_height,
                          size_t in_width, int train, size_t threads) {
    if (!bounded(conv, batch, in_height, in_width, threads)) return SIZE_MAX;
    if (pointwise(conv)) {
        in_width *= in_height;
        in_height = 1;
    }
    const struct sides sides = sides_of(conv, in_height, in_width);
    size_t most =
        gather_workspace(conv, &sides, conv->transposed, batch, conv->in, conv->out, threads);
    if (!train) return most;
    most = scp_max(most, gather_workspace(conv, &sides, !conv->transposed, batch, conv->out,
                                          conv->in, threads));
    struct scp_axis y, x;
    coarse_axes(&y, &x, conv, &sides);
    const size_t dense = conv->transposed ? conv->out : conv->in;
    const size_t coarse = conv->transposed ? conv->in : conv->out;
    return scp_max(most,
                   scp_winograd_pays(batch, &y, &x, dense, coarse)
                       ? scp_winograd_correlate_workspace(batch, &y, &x, dense, coarse, threads)
                       : scp_correlate_workspace(batch, &y, &x, dense, coarse, threads));
}

/* Both directions of the data. dense: the target is the dense side. */
static enum scp_status gather(const struct scp_map *target, int accumulate,
                              const struct scp_source *source, int dense, const float *weights,
                              int swap, const float *bias, const struct scp_conv *conv,
                              float *workspace, const struct scp_control *control) {
    struct scp_map to = *target;
    struct scp_source from = *source;
    if (pointwise(conv)) {
        scp_map_flatten(&to);
        scp_source_flatten(&from);
    }
    const struct sides sides =
        dense ? (struct sides){to.height, to.width, from.map.height, from.map.width}
              : (struct sides){from.map.height, from.map.width, to.height, to.width};
    struct scp_axis y, x;
    enum scp_status status = SCP_OK;
    if (conv->stride == 1) {
        if (dense)
            dense_axes(&y, &x, conv, &sides, 0);
        else
            coarse_axes(&y, &x, conv, &sides);
        if (scp_winograd_pays(to.batch, &y, &x, from.map.channels, to.channels))
            return scp_winograd(&to, accumulate, &from, &y, &x, weights, conv->kernel_x, swap, bias,
                                workspace, control);
    }
    if (!dense) {
        coarse_axes(&y, &x, conv, &sides);
        return scp_gather(&to, accumulate, &from, &y, &x, weights, conv->kernel_x, swap, bias,
                          workspace, control);
    }
    for (size_t phase = 0; status == SCP_OK && phase < conv->stride * conv->stride; phase++) {
        dense_axes(&y, &x, conv, &sides, phase);
        status = scp_gather(&to, accumulate, &from, &y, &x, weights, conv->kernel_x, swap, bias,
                            workspace, control);
    }
    return status;
}

enum scp_status scp_conv_forward(const struct scp_map *y, const struct scp_map *x,
                                 const struct scp_pending *pending, const float *weights,
                                 const float *bias, const struct scp_conv *conv, float *workspace,
                                 const struct scp_control *control) {
    struct scp_source source;
    scp_source_pending(&source, x, pending);
    return gather(y, 0, &source, conv->transposed, weights, 0, bias, conv, workspace, control);
}

enum scp_status scp_conv_backward_data(const struct scp_map *dz, int accumulate,
                                       const struct scp_map *dy, const struct scp_pull *pull,
                                       const float *weights, const struct scp_conv *conv,
                                       float *workspace, const struct scp_control *control) {
    struct scp_source source;
    scp_source_pull(&source, dy, pull);
    return gather(dz, accumulate, &source, !conv->transposed, weights, 1, NULL, conv, workspace,
                  control);
}

enum scp_status scp_conv_backward_weights(float *weight_grads, float *bias_grads,
                                          const struct scp_map *x,
                                          const struct scp_pending *pending,
                                          const struct scp_map *dy, const struct scp_pull *pull,
                                          const struct scp_conv *conv, float *workspace,
                                          const struct scp_control *control) {
    struct scp_source values, gradient;
    scp_source_pending(&values, x, pending);
    scp_source_pull(&gradient, dy, pull);
    if (pointwise(conv)) {
        scp_source_flatten(&values);
        scp_source_flatten(&gradient);
    }
    const struct scp_source *dense = conv->transposed ? &gradient : &values;
    const struct scp_source *coarse = conv->transposed ? &values : &gradient;
    const struct sides sides = {dense->map.height, dense->map.width, coarse->map.height,
                                coarse->map.width};
    struct scp_axis ay, ax;
    coarse_axes(&ay, &ax, conv, &sides);
    const int wins =
        scp_winograd_pays(dense->map.batch, &ay, &ax, dense->map.channels, coarse->map.channels);
    const enum scp_status status = (wins ? scp_winograd_correlate : scp_correlate)(
        weight_grads, conv->transposed, conv->transposed ? NULL : bias_grads, dense, coarse, &ay,
        &ax, workspace, control);
    if (status != SCP_OK || !conv->transposed || !bias_grads) return status;
    return scp_source_sums(bias_grads, &gradient, control);
}
