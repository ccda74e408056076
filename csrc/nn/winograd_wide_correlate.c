/* Winograd F(4x4, 3x3) of layers whose transformed weights do not fit in the caches: the gradient
 * of the weights. As winograd_wide.c: a block of many tiles is transformed by all threads together;
 * then each takes panels of outputs, sums dU over all tiles and adds G^T dU G to the gradients.
 * Blocks follow each other, and no two tasks share a panel: the order of sums is fixed. */
#include "winograd.h"

#define MANY 1024 /* tiles: that many pay for partial sums of somewhat wider layers */

struct wide {
    struct scp_source source, fixed;
    struct scp_axis y, x;
    struct scp_winograd_blocks blocks;
    struct scp_winograd_block block;
    size_t panels, step, w_step, pixels, scratch_floats;
    int swap;
    float *v, *scratch, *gradients, *bias_grads;
    const struct scp_nn_kernels *kernels;
};

int scp_winograd_wide_gradient(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                               size_t channels, size_t outputs) {
    const size_t tiles = batch * scp_ceil_div(y->count, 4) * scp_ceil_div(x->count, 4);
    return channels * outputs >= (tiles < MANY ? 16384 : 32768) && channels >= 64 && outputs >= 64;
}

static void divide(struct wide *w, size_t batch, size_t channels, size_t outputs) {
    const size_t read = scp_winograd_wide_divide(&w->blocks, batch, &w->y, &w->x, channels, 1);
    w->panels = scp_ceil_div(outputs, 16);
    w->step = scp_winograd_step(channels);
    w->w_step = w->blocks.most * 16 + 16;
    w->pixels = 16 * w->blocks.block_y * w->blocks.block_x * 16;
    w->scratch_floats =
        scp_max(read, SCP_PANELS * SCP_WINOGRAD * (w->step + w->w_step) + w->pixels);
}

size_t scp_winograd_wide_correlate_workspace(size_t batch, const struct scp_axis *y,
                                             const struct scp_axis *x, size_t channels,
                                             size_t outputs, size_t threads) {
    struct wide w = {.y = *y, .x = *x};
    if (!batch || !y->count || !x->count) return 0;
    divide(&w, batch, channels, outputs);
    return SCP_WINOGRAD * w.blocks.v_step + threads * w.scratch_floats;
}

/* Some panels of a block. */
static enum scp_status add_panels(void *context, size_t task, size_t worker) {
    static const size_t offsets[1] = {0};
    static const float zeros[16 * SCP_PANELS] = {0};
    const struct wide *c = context;
    const size_t channels = c->source.map.channels, outputs = c->fixed.map.channels;
    const size_t sum = SCP_WINOGRAD * c->step, values = SCP_WINOGRAD * c->w_step;
    const size_t first = task * SCP_PANELS, count = scp_min(SCP_PANELS, c->panels - first);
    const struct scp_gemm_form form = {offsets, 1, c->block.tiles, count, values, sum, NULL};
    float *sums = c->scratch + worker * c->scratch_floats, bias[16 * SCP_PANELS] = {0};
    float *w = sums + SCP_PANELS * sum, *pixels = w + SCP_PANELS * values;
    for (size_t i = 0; i < count; i++)
        scp_winograd_read_gradient(w + i * values, c->w_step, c->bias_grads ? bias + i * 16 : NULL,
                                   &c->block, &c->fixed, first + i, pixels, c->kernels);
    for (size_t i = 0; i < SCP_WINOGRAD; i++)
        c->kernels->gemm(sums + i * c->step, 16, c->v + i * c->blocks.v_step, 1, c->blocks.tile,
                         channels, w + i * c->w_step, &form, zeros);
    for (size_t i = 0; i < count; i++)
        scp_winograd_collect(c->gradients, c->swap, channels, outputs, first + i, sums + i * sum,
                             c->kernels);
    if (c->bias_grads)
        for (size_t j = 0; j < scp_min(16 * count, outputs - first * 16); j++)
            c->bias_grads[first * 16 + j] += bias[j];
    return SCP_OK;
}

enum scp_status scp_winograd_wide_correlate(float *gradients, int swap, float *bias_grads,
                                            const struct scp_source *source,
                                            const struct scp_source *fixed,
                                            const struct scp_axis *y, const struct scp_axis *x,
                                            float *workspace, const struct scp_control *control) {
    struct wide w = {.source = *source,
                     .fixed = *fixed,
                     .y = *y,
                     .x = *x,
                     .swap = swap,
                     .gradients = gradients,
                     .bias_grads = bias_grads,
                     .kernels = scp_nn_kernels()};
    const size_t batch = fixed->map.batch;
    if (!batch || !y->count || !x->count) return SCP_OK;
    divide(&w, batch, source->map.channels, fixed->map.channels);
    w.v = workspace;
    w.scratch = w.v + SCP_WINOGRAD * w.blocks.v_step;
    enum scp_status status = SCP_OK;
    for (size_t index = 0; status == SCP_OK && index < w.blocks.count; index++) {
        scp_winograd_block(&w.block, &w.blocks, batch, index);
        status = scp_winograd_wide_read(w.v, &w.blocks, &w.block, source, y, x, w.kernels,
                                        w.scratch, w.scratch_floats, control);
        if (status == SCP_OK)
            status = scp_parallel(scp_ceil_div(w.panels, SCP_PANELS), add_panels, &w, control);
    }
    return status;
}
