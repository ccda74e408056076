/* Winograd F(4x4, 3x3): the gradient of the weights. With V = B^T d B of every tile of the source
 * and W = A dY A^T of the same tile of the gradient, dU[36][in][out] = sum over tiles of V^T W and
 * dg = G^T dU G. A fixed number of partial sums, as in conv_correlate.c: a task sums dU in its
 * thread's scratch, and the partial dg are a quarter of that. */
#include "winograd.h"

#include <string.h>

#define TILES 48                /* of a block, about */
#define PARTIAL_FLOATS 16777216 /* 64 MiB of partial sums, at most (or one) */

struct correlate {
    struct scp_source source, fixed;
    struct scp_axis y, x;
    struct scp_winograd_blocks blocks;
    size_t batch, panels, share, shares, parts;
    size_t step, sums; /* floats of one of the 36 parts of a panel of dU, of all 36 */
    size_t taps;       /* floats of a panel of dg */
    size_t w_step;     /* between the 36 products of a panel of W, tiles x 16 */
    size_t scratch_floats, pixels;
    int biased;
    float *partial, *partial_bias, *scratch;
    const struct scp_nn_kernels *kernels;
};

static void divide(struct correlate *c, size_t batch, size_t channels, size_t outputs) {
    c->batch = batch;
    scp_winograd_divide(&c->blocks, batch, &c->y, &c->x, channels, TILES, 1);
    c->panels = scp_ceil_div(outputs, 16);
    c->step = scp_winograd_step(channels);
    c->sums = SCP_WINOGRAD * c->step;
    c->taps = 9 * channels * 16;
    /* More parts mean more sums to collect and add (half of what it was to clear and add the 36),
     * more shares more transforms of the source. */
    const double tiles = (double)batch * (double)c->blocks.tiles_y * (double)c->blocks.tiles_x;
    const double part_cost = (double)(c->panels * c->sums);
    const double share_cost = 200 * tiles * (double)c->blocks.lanes / 16;
    const size_t tasks = tiles * part_cost > 1e9 ? 16 : 8;
    const size_t room = scp_max(1, PARTIAL_FLOATS / (c->panels * c->taps));
    double best = 0;
    for (size_t shares = 1; shares <= c->panels; shares *= 2) {
        const size_t parts = scp_min(scp_min(c->blocks.count, room), scp_max(1, tasks / shares));
        const double idle = tasks > parts * shares ? (double)tasks / (double)(parts * shares) : 1;
        const double cost =
            (part_cost / 2 * (double)parts + share_cost * (double)shares + tiles * part_cost / 16) *
            (1 + 0.1 * (idle - 1));
        if (shares > 1 && cost >= best) continue;
        best = cost;
        c->shares = shares;
        c->parts = parts;
    }
    c->share = scp_ceil_div(c->panels, c->shares);
    c->shares = scp_ceil_div(c->panels, c->share);
    c->w_step = c->blocks.most * 16 + 16;
    c->pixels = 16 * c->blocks.block_y * c->blocks.block_x * 16;
    c->scratch_floats = c->share * c->sums +
                        SCP_WINOGRAD * (c->blocks.v_step + SCP_PANELS * c->w_step) +
                        scp_max(c->blocks.strip + c->blocks.rows, c->pixels);
}

size_t scp_winograd_correlate_workspace(size_t batch, const struct scp_axis *y,
                                        const struct scp_axis *x, size_t channels, size_t outputs,
                                        size_t threads) {
    struct correlate c = {.y = *y, .x = *x};
    if (!batch || !y->count || !x->count) return 0;
    if (scp_winograd_wide_gradient(batch, y, x, channels, outputs))
        return scp_winograd_wide_correlate_workspace(batch, y, x, channels, outputs, threads);
    divide(&c, batch, channels, outputs);
    return c.parts * c.panels * (c.taps + 16) + threads * c.scratch_floats;
}

static enum scp_status run(void *context, size_t task, size_t worker) {
    const struct correlate *c = context;
    const size_t share = task % c->shares, part = task / c->shares;
    const size_t first = share * c->share, last = scp_min(first + c->share, c->panels);
    const size_t channels = c->source.map.channels;
    float *sums = c->scratch + worker * c->scratch_floats, *v = sums + c->share * c->sums;
    const size_t values = SCP_WINOGRAD * c->w_step;
    float *w = v + SCP_WINOGRAD * c->blocks.v_step, *strip = w + SCP_PANELS * values;
    float *bias = c->partial_bias + part * c->panels * 16;
    memset(bias + first * 16, 0, (last - first) * 16 * sizeof *bias);
    static const size_t offsets[1] = {0};
    static const float zeros[16 * SCP_PANELS] = {0};
    const size_t begin = part * c->blocks.count / c->parts;
    const size_t end = (part + 1) * c->blocks.count / c->parts;
    for (size_t index = begin; index < end; index++) {
        struct scp_winograd_block block;
        scp_winograd_block(&block, &c->blocks, c->batch, index);
        scp_winograd_read(v, &c->blocks, &block, &c->source, 0, channels, &c->y, &c->x, c->kernels,
                          strip);
        struct scp_fetch fetch[4] = {{NULL, 0, 0, 0, 0, 0}};
        if (index + 1 < end) {
            struct scp_winograd_block next;
            scp_winograd_block(&next, &c->blocks, c->batch, index + 1);
            scp_winograd_fetch(fetch, &c->blocks, &next, &c->source, &c->y, &c->x);
            scp_fetch_source(fetch + 2, &c->fixed, next.image, (ptrdiff_t)(4 * next.y),
                             (ptrdiff_t)(4 * next.x), 4 * next.height, 4 * next.width, first * 16,
                             last - first);
        }
        for (size_t panel = first, count; panel < last; panel += count) {
            count = scp_min(SCP_PANELS, last - panel);
            struct scp_ask ask;
            const struct scp_gemm_form form = {offsets, 1,       block.tiles, count,
                                               values,  c->sums, &ask};
            for (size_t i = 0; i < count; i++)
                scp_winograd_read_gradient(w + i * values, c->w_step,
                                           c->biased ? bias + (panel + i) * 16 : NULL, &block,
                                           &c->fixed, panel + i, strip, c->kernels);
            for (size_t i = 0; i < SCP_WINOGRAD; i++) {
                scp_fetch_share(&ask, fetch, 4, (panel - first) / SCP_PANELS * SCP_WINOGRAD + i,
                                scp_ceil_div(last - first, SCP_PANELS) * SCP_WINOGRAD);
                c->kernels->gemm(sums + (panel - first) * c->sums + i * c->step, 16,
                                 v + i * c->blocks.v_step, 1, c->blocks.tile, channels,
                                 w + i * c->w_step, &form, index == begin ? zeros : NULL);
            }
        }
    }
    for (size_t panel = first; panel < last; panel++)
        for (size_t k = 0; k < channels; k++)
            c->kernels->winograd_collect(c->partial + (part * c->panels + panel) * c->taps + k * 16,
                                         channels * 16, sums + (panel - first) * c->sums + k * 16,
                                         c->step);
    return SCP_OK;
}

enum scp_status scp_winograd_correlate(float *gradients, int swap, float *bias_grads,
                                       const struct scp_source *source,
                                       const struct scp_source *fixed, const struct scp_axis *y,
                                       const struct scp_axis *x, float *workspace,
                                       const struct scp_control *control) {
    struct correlate c = {.source = *source,
                          .fixed = *fixed,
                          .y = *y,
                          .x = *x,
                          .biased = bias_grads != NULL,
                          .kernels = scp_nn_kernels()};
    if (!fixed->map.batch || !y->count || !x->count) return SCP_OK;
    if (scp_winograd_wide_gradient(fixed->map.batch, y, x, source->map.channels,
                                   fixed->map.channels))
        return scp_winograd_wide_correlate(gradients, swap, bias_grads, source, fixed, y, x,
                                           workspace, control);
    divide(&c, fixed->map.batch, source->map.channels, fixed->map.channels);
    c.partial = workspace;
    c.partial_bias = c.partial + c.parts * c.panels * c.taps;
    c.scratch = c.partial_bias + c.parts * c.panels * 16;
    struct scp_partial partial = {c.partial,
                                  c.partial_bias,
                                  c.parts,
                                  c.panels,
                                  9 * source->map.channels,
                                  source->map.channels,
                                  fixed->map.channels,
                                  swap,
                                  gradients,
                                  bias_grads};
    const enum scp_status status = scp_parallel(c.parts * c.shares, run, &c, control);
    return status == SCP_OK ? scp_partial_add(&partial) : status;
}
