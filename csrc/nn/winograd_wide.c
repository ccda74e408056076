/* Winograd F(4x4, 3x3) of layers whose transformed weights do not fit in the caches: the product
 * form. Block after block of many tiles is transformed by all threads together; then each thread
 * takes panels of outputs, transforms their weights and uses them at once for all tiles. Nothing
 * of the size of all transformed weights is ever written. */
#include "winograd.h"

#include <string.h>

#define TILES 144        /* of a block, at most: one use of the weights of a panel */
#define SUMMED 288       /* the same for gradients, whose sums are read and written once a block */
#define V_FLOATS 1400000 /* of them, about: 5.6 MB of the last cache */
#define ROWS 2           /* of tiles, of one task of the transform */
#define SLICE 128        /* channels of it */

struct wide {
    struct scp_map target;
    int accumulate;
    struct scp_source source;
    struct scp_axis y, x;
    struct scp_winograd_blocks blocks; /* of the products */
    struct scp_winograd_block block;
    size_t panels, m_step, step, packed_floats, scratch_floats;
    struct scp_weights given;
    float *v, *bias, *scratch;
    const struct scp_nn_kernels *kernels;
};

int scp_winograd_wide(size_t channels, size_t outputs) {
    return channels * outputs >= 131072 && channels >= 64 && outputs >= 64;
}

static size_t slices_of(size_t channels) {
    return scp_ceil_div(channels, SLICE);
}

size_t scp_winograd_wide_divide(struct scp_winograd_blocks *blocks, size_t batch,
                                const struct scp_axis *y, const struct scp_axis *x, size_t channels,
                                int columns) {
    const size_t fit = V_FLOATS / (SCP_WINOGRAD * scp_lanes_up(channels));
    scp_winograd_divide(blocks, batch, y, x, channels,
                        scp_min(columns ? SUMMED : TILES, scp_max(fit, 24)), columns);
    return blocks->rows +
           (4 * ROWS + 2) * (4 * blocks->block_x + 2) * scp_min(SLICE, blocks->lanes);
}

struct transform {
    float *v;
    const struct scp_winograd_blocks *blocks;
    const struct scp_winograd_block *block;
    const struct scp_source *source;
    const struct scp_axis *y, *x;
    const struct scp_nn_kernels *kernels;
    float *scratch;
    size_t scratch_floats;
};

/* Some rows of tiles of one image, some channels. */
static enum scp_status transform(void *context, size_t task, size_t worker) {
    const struct transform *t = context;
    const size_t channels = t->source->map.channels, slices = slices_of(channels);
    const size_t first = task % slices * SLICE, groups = scp_ceil_div(t->block->height, ROWS);
    const size_t row = task / slices % groups * ROWS, image = task / slices / groups;
    struct scp_winograd_block part = *t->block;
    part.image += image;
    part.images = 1;
    part.y += row;
    part.height = scp_min(ROWS, t->block->height - row);
    scp_winograd_read(t->v + (image * t->block->height + row) * t->block->width * t->blocks->tile +
                          first,
                      t->blocks, &part, t->source, first, scp_min(SLICE, channels - first), t->y,
                      t->x, t->kernels, t->scratch + worker * t->scratch_floats);
    return SCP_OK;
}

enum scp_status scp_winograd_wide_read(float *v, const struct scp_winograd_blocks *blocks,
                                       const struct scp_winograd_block *block,
                                       const struct scp_source *source, const struct scp_axis *y,
                                       const struct scp_axis *x,
                                       const struct scp_nn_kernels *kernels, float *scratch,
                                       size_t scratch_floats, const struct scp_control *control) {
    struct transform t = {v, blocks, block, source, y, x, kernels, scratch, scratch_floats};
    return scp_parallel(block->images * scp_ceil_div(block->height, ROWS) *
                            slices_of(source->map.channels),
                        transform, &t, control);
}

static void divide(struct wide *w, size_t batch, size_t channels, size_t outputs) {
    const size_t read = scp_winograd_wide_divide(&w->blocks, batch, &w->y, &w->x, channels, 0);
    w->panels = scp_ceil_div(outputs, 16);
    w->step = scp_winograd_step(channels);
    w->m_step = w->blocks.most * SCP_PANELS * 16 + 16;
    w->packed_floats = 9 * channels * 16;
    w->scratch_floats =
        scp_max(read, SCP_WINOGRAD * (SCP_PANELS * w->step + w->m_step) + w->packed_floats);
}

size_t scp_winograd_wide_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                                   size_t channels, size_t outputs, size_t threads) {
    struct wide w = {.y = *y, .x = *x};
    if (!batch || !y->count || !x->count) return 0;
    divide(&w, batch, channels, outputs);
    return SCP_WINOGRAD * w.blocks.v_step + w.panels * 16 + threads * w.scratch_floats;
}

/* Some panels of a block. */
static enum scp_status multiply(void *context, size_t task, size_t worker) {
    static const size_t offsets[1] = {0};
    static const float zeros[16 * SCP_PANELS] = {0};
    const struct wide *w = context;
    const struct scp_winograd_block *block = &w->block;
    const size_t channels = w->source.map.channels, first = task * SCP_PANELS;
    const size_t count = scp_min(SCP_PANELS, w->panels - first);
    struct scp_ask ask;
    const struct scp_gemm_form form = {offsets, 1,   channels, count, SCP_WINOGRAD * w->step,
                                       16,      &ask};
    float *u = w->scratch + worker * w->scratch_floats;
    float *m = u + SCP_PANELS * SCP_WINOGRAD * w->step, *packed = m + SCP_WINOGRAD * w->m_step;
    for (size_t panel = 0; panel < count; panel++) {
        scp_conv_pack(packed, &w->given, first + panel, w->kernels);
        w->kernels->winograd_weights(u + panel * SCP_WINOGRAD * w->step, w->step, packed,
                                     channels * 16, channels);
    }
    struct scp_fetch target;
    scp_fetch_begin(&target, &w->target, block->image, (ptrdiff_t)(4 * block->y),
                    (ptrdiff_t)(4 * block->x), 4 * block->height, 4 * block->width, first * 16,
                    count);
    for (size_t i = 0; i < SCP_WINOGRAD; i++) {
        scp_fetch_share(&ask, &target, 1, i, SCP_WINOGRAD);
        w->kernels->gemm(m + i * w->m_step, SCP_PANELS * 16, w->v + i * w->blocks.v_step,
                         w->blocks.tile, 1, block->tiles, u + i * w->step, &form, zeros);
    }
    for (size_t panel = 0; panel < count; panel++)
        scp_winograd_write(&w->target, w->accumulate, w->bias + (first + panel) * 16, first + panel,
                           block, m + panel * 16, w->m_step, SCP_PANELS * 16, w->kernels);
    return SCP_OK;
}

enum scp_status scp_winograd_wide_product(const struct scp_map *target, int accumulate,
                                          const struct scp_source *source, const struct scp_axis *y,
                                          const struct scp_axis *x, const float *weights,
                                          size_t kernel_x, int swap, const float *bias,
                                          float *workspace, const struct scp_control *control) {
    struct wide w = {.target = *target,
                     .accumulate = accumulate,
                     .source = *source,
                     .y = *y,
                     .x = *x,
                     .kernels = scp_nn_kernels()};
    const size_t channels = source->map.channels, outputs = target->channels;
    if (!y->count || !x->count || !target->batch) return SCP_OK;
    divide(&w, target->batch, channels, outputs);
    w.v = workspace;
    w.bias = w.v + SCP_WINOGRAD * w.blocks.v_step;
    w.scratch = w.bias + w.panels * 16;
    memset(w.bias, 0, w.panels * 16 * sizeof(float));
    if (bias) memcpy(w.bias, bias, outputs * sizeof(float));
    w.given = (struct scp_weights){weights, kernel_x, channels, outputs, y, x, swap};
    enum scp_status status = SCP_OK;
    for (size_t index = 0; status == SCP_OK && index < w.blocks.count; index++) {
        scp_winograd_block(&w.block, &w.blocks, target->batch, index);
        status = scp_winograd_wide_read(w.v, &w.blocks, &w.block, source, y, x, w.kernels,
                                        w.scratch, w.scratch_floats, control);
        if (status == SCP_OK)
            status = scp_parallel(scp_ceil_div(w.panels, SCP_PANELS), multiply, &w, control);
    }
    return status;
}
