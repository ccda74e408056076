/* Winograd F(4x4, 3x3): the product form, for the output and for the gradient of the data. A task
 * transforms a block of tiles, multiplies it with the transformed weights and writes the pixels. */
#include "winograd.h"

#include <string.h>

#define TASKS 16 /* wanted at least */
#define TILES 24 /* of a block, about: V and M stay in the second-level cache */

struct product {
    struct scp_map target;
    int accumulate;
    struct scp_source source;
    struct scp_axis y, x;
    struct scp_winograd_blocks blocks;
    size_t panels;         /* of 16 outputs */
    size_t share, shares;  /* panels of a task, tasks of a block */
    size_t chain, chains;  /* blocks of a task */
    size_t width, m_step;  /* outputs multiplied at once, floats between the 36 products in M */
    size_t scratch_floats; /* of one thread */
    struct scp_weights given;
    float *packed, *weights, *bias, *scratch;
    const struct scp_nn_kernels *kernels;
};

static void divide(struct product *p, size_t batch, size_t channels, size_t outputs) {
    scp_winograd_divide(&p->blocks, batch, &p->y, &p->x, channels, TILES, 0);
    p->panels = scp_ceil_div(outputs, 16);
    p->shares = scp_min(scp_ceil_div(p->panels, 4), scp_ceil_div(TASKS, p->blocks.count));
    p->share = scp_ceil_div(p->panels, p->shares);
    p->shares = scp_ceil_div(p->panels, p->share);
    p->chain = scp_max(1, scp_min(8, p->blocks.count * p->shares / 32));
    p->chains = scp_ceil_div(p->blocks.count, p->chain);
    p->width = scp_min(p->share, SCP_PANELS) * 16;
    p->m_step = p->blocks.most * p->width + 16;
    p->scratch_floats =
        SCP_WINOGRAD * (p->blocks.v_step + p->m_step) + p->blocks.strip + p->blocks.rows;
}

int scp_winograd_pays(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                      size_t channels, size_t outputs) {
    (void)batch;
    if (y->taps != 3 || x->taps != 3 || y->step != 1 || x->step != 1 || y->stride != 1 ||
        x->stride != 1)
        return 0;
    return channels >= 8 && outputs >= 8 && y->count >= 3 && x->count >= 3;
}

size_t scp_winograd_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                              size_t channels, size_t outputs, size_t threads) {
    struct product p = {.y = *y, .x = *x};
    if (!batch || !y->count || !x->count) return 0;
    if (scp_winograd_wide(channels, outputs))
        return scp_winograd_wide_workspace(batch, y, x, channels, outputs, threads);
    divide(&p, batch, channels, outputs);
    return p.panels * (9 * channels * 16 + SCP_WINOGRAD * scp_winograd_step(channels) + 16) +
           threads * p.scratch_floats;
}

/* One panel of weights[panel][36][channels][16]. */
static enum scp_status transform_weights(void *context, size_t panel, size_t worker) {
    const struct product *p = context;
    const size_t channels = p->source.map.channels, step = scp_winograd_step(channels);
    float *packed = p->packed + panel * 9 * channels * 16;
    (void)worker;
    scp_conv_pack(packed, &p->given, panel, p->kernels);
    p->kernels->winograd_weights(p->weights + panel * SCP_WINOGRAD * step, step, packed,
                                 channels * 16, channels);
    return SCP_OK;
}

/* One block: the products, and meanwhile the pixels that are written next and read thereafter. */
static void multiply(const struct product *p, const struct scp_winograd_block *block, size_t share,
                     const struct scp_fetch next[2], const float *v, float *m) {
    static const size_t offsets[1] = {0};
    static const float zeros[16 * SCP_PANELS] = {0};
    const struct scp_winograd_blocks *blocks = &p->blocks;
    const size_t step = scp_winograd_step(p->source.map.channels), end = (share + 1) * p->share;
    const size_t last = scp_min(end, p->panels);
    for (size_t first = share * p->share; first < last; first += p->width / 16) {
        const size_t count = scp_min(p->width / 16, last - first);
        struct scp_ask ask;
        const struct scp_gemm_form form = {
            offsets, 1, p->source.map.channels, count, SCP_WINOGRAD * step, 16, &ask};
        struct scp_fetch fetch[3] = {{NULL, 0, 0, 0, 0, 0}, next[0], next[1]};
        scp_fetch_begin(fetch, &p->target, block->image, (ptrdiff_t)(4 * block->y),
                        (ptrdiff_t)(4 * block->x), 4 * block->height, 4 * block->width, first * 16,
                        count);
        for (size_t i = 0; i < SCP_WINOGRAD; i++) {
            scp_fetch_share(&ask, fetch, first + count == last ? 3 : 1, i, SCP_WINOGRAD);
            p->kernels->gemm(m + i * p->m_step, p->width, v + i * blocks->v_step, blocks->tile, 1,
                             block->tiles, p->weights + (first * SCP_WINOGRAD + i) * step, &form,
                             zeros);
        }
        for (size_t panel = 0; panel < count; panel++)
            scp_winograd_write(&p->target, p->accumulate, p->bias + (first + panel) * 16,
                               first + panel, block, m + panel * 16, p->m_step, p->width,
                               p->kernels);
    }
}

static enum scp_status run(void *context, size_t task, size_t worker) {
    const struct product *p = context;
    const struct scp_winograd_blocks *blocks = &p->blocks;
    const size_t share = task % p->shares, begin = task / p->shares * p->chain;
    const size_t end = scp_min(begin + p->chain, blocks->count);
    float *v = p->scratch + worker * p->scratch_floats;
    float *m = v + SCP_WINOGRAD * blocks->v_step, *strip = m + SCP_WINOGRAD * p->m_step;
    struct scp_winograd_block block, next;
    struct scp_fetch fetch[2] = {{NULL, 0, 0, 0, 0, 0}, {NULL, 0, 0, 0, 0, 0}};
    scp_winograd_block(&block, blocks, p->target.batch, begin);
    for (size_t index = begin; index < end; index++, block = next) {
        scp_winograd_read(v, blocks, &block, &p->source, 0, p->source.map.channels, &p->y, &p->x,
                          p->kernels, strip);
        next = block;
        if (index + 1 < end) {
            scp_winograd_block(&next, blocks, p->target.batch, index + 1);
            scp_winograd_fetch(fetch, blocks, &next, &p->source, &p->y, &p->x);
        }
        multiply(p, &block, share, fetch, v, m);
    }
    return SCP_OK;
}

enum scp_status scp_winograd(const struct scp_map *target, int accumulate,
                             const struct scp_source *source, const struct scp_axis *y,
                             const struct scp_axis *x, const float *weights, size_t kernel_x,
                             int swap, const float *bias, float *workspace,
                             const struct scp_control *control) {
    struct product p = {.target = *target,
                        .accumulate = accumulate,
                        .source = *source,
                        .y = *y,
                        .x = *x,
                        .kernels = scp_nn_kernels()};
    const size_t channels = source->map.channels, outputs = target->channels;
    if (!y->count || !x->count || !target->batch) return SCP_OK;
    if (scp_winograd_wide(channels, outputs))
        return scp_winograd_wide_product(target, accumulate, source, y, x, weights, kernel_x, swap,
                                         bias, workspace, control);
    divide(&p, target->batch, channels, outputs);
    p.weights = workspace;
    p.packed = p.weights + p.panels * SCP_WINOGRAD * scp_winograd_step(channels);
    p.bias = p.packed + p.panels * 9 * channels * 16;
    p.scratch = p.bias + p.panels * 16;
    memset(p.bias, 0, p.panels * 16 * sizeof(float));
    if (bias) memcpy(p.bias, bias, outputs * sizeof(float));
    p.given = (struct scp_weights){weights, kernel_x, channels, outputs, y, x, swap};
    const enum scp_status status =
        scp_conv_parallel(p.panels * SCP_WINOGRAD * channels * 16, p.panels, transform_weights, &p);
    if (status != SCP_OK) return status;
    return scp_parallel(p.chains * p.shares, run, &p, control);
}
