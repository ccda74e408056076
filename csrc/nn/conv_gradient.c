/* The gradient with respect to weights: sums over pixels of source (shifted by each tap) times the
 * fixed map, as matrix products over strips of pixels. A fixed number of partial sums, which are
 * then added in order: the same bits at any number of threads. */
#include "conv_gradient.h"

#include <string.h>

#include "../kernels/kernels.h"
#include "source.h"

#define STRIP_FLOATS 49152 /* 192 KiB of the second-level cache */
#define PARTS 32           /* partial sums times blocks of outputs, at most */

void scp_gradient_add(const struct scp_gradient *g, size_t tap, size_t k, size_t count,
                      size_t panel, const float *sums, size_t step) {
    const size_t channels = g->source.map.channels, outputs = g->fixed.map.channels;
    const size_t o = panel * 16, width = scp_min(16, outputs - o);
    float *to = g->gradients + tap * channels * outputs;
    if (g->swap) {
        /* Rows of 2^n channels share few places in the cache: each is written once. */
        to += o * channels + k;
        for (size_t j = 0; j < width; j++, to += channels)
            for (size_t i = 0; i < count; i++) to[i] += sums[i * step + j];
        return;
    }
    to += k * outputs + o;
    for (size_t i = 0; i < count; i++, to += outputs, sums += step) {
        if (width == 16) /* a known size: whole vectors */
            for (size_t j = 0; j < 16; j++) to[j] += sums[j];
        else
            for (size_t j = 0; j < width; j++) to[j] += sums[j];
    }
}

/* One panel. */
static enum scp_status add_panel(void *context, size_t panel, size_t worker) {
    const struct scp_partial *p = context;
    const struct scp_gradient *g = p->gradient;
    const size_t channels = g->source.map.channels;
    const size_t width = scp_min(16, g->fixed.map.channels - panel * 16);
    (void)worker;
    for (size_t tap = 0; tap < p->depth / channels; tap++)
        for (size_t k = 0, count; k < channels; k += count) {
            float sums[SCP_GRADIENT_GROUP * 16] = {0};
            count = scp_min(SCP_GRADIENT_GROUP, channels - k);
            for (size_t part = 0; part < p->parts; part++) {
                const float *from = scp_partial_sums(p, part, panel) + (tap * channels + k) * 16;
                for (size_t j = 0; j < count * 16; j++) sums[j] += from[j];
            }
            scp_gradient_add(g, tap, k, count, panel, sums, 16);
        }
    if (g->bias_grads)
        for (size_t part = 0; part < p->parts; part++)
            for (size_t j = 0; j < width; j++)
                g->bias_grads[panel * 16 + j] += scp_partial_bias(p, part, panel)[j];
    return SCP_OK;
}

enum scp_status scp_partial_add(struct scp_partial *p) {
    return scp_conv_parallel(p->parts * p->panels * p->depth * 16, p->panels, add_panel, p);
}

struct correlate {
    const struct scp_gradient *g;
    struct scp_tiles tiles;
    size_t block, blocks;           /* panels of a task, tasks of a part */
    size_t values, offsets, floats; /* where they begin in the scratch of a thread; all of it */
    struct scp_partial partial;
    float *scratch;
};

static void divide(struct correlate *c, size_t pixel) {
    const struct scp_gradient *g = c->g;
    struct scp_partial *p = &c->partial;
    p->gradient = g;
    p->depth = g->y.taps * g->x.taps * g->source.map.channels;
    p->panels = scp_ceil_div(g->fixed.map.channels, 16);
    c->block = p->panels > 8 ? 4 : p->panels;
    c->blocks = scp_ceil_div(p->panels, c->block);
    scp_tiles_divide(&c->tiles, &g->y, &g->x, g->fixed.map.batch, pixel, 16, STRIP_FLOATS,
                     c->blocks);
    p->parts = scp_partial_parts(p, scp_min(c->tiles.count, PARTS / c->blocks));
    c->values = c->tiles.strip;
    c->offsets = c->values + SCP_PANELS * c->tiles.height * c->tiles.width * 16;
    c->floats = c->offsets + scp_lanes_up(2 * c->tiles.height);
}

size_t scp_gradient_gemm_workspace(const struct scp_gradient *gradient, size_t threads) {
    struct correlate c = {.g = gradient};
    const size_t channels = gradient->source.map.channels;
    divide(&c, channels); /* as scp_product_gemm_workspace */
    const size_t dense = scp_partial_floats(&c.partial) + threads * c.floats;
    divide(&c, scp_lanes_up(channels));
    return scp_max(dense, scp_partial_floats(&c.partial) + threads * c.floats);
}

/* The fixed map's panels of a tile to values[panel][pixel][16], and their sums to the biases. */
static void read_fixed(const struct correlate *c, const struct scp_tile *tile, size_t panel,
                       size_t count, size_t part, float *values) {
    const struct scp_gradient *g = c->g;
    const size_t pixels = tile->height * tile->width, outputs = g->fixed.map.channels;
    const ptrdiff_t y = (ptrdiff_t)tile->y, x = (ptrdiff_t)tile->x;
    for (size_t i = 0; i < count; i++, values += c->tiles.height * c->tiles.width * 16) {
        const size_t first = (panel + i) * 16;
        const struct scp_window window = {
            tile->image, y, x, tile->height, tile->width, first, scp_min(16, outputs - first),
            0,           1};
        scp_source_read(values, 16, tile->width * 16, &g->fixed, &window);
        if (g->bias_grads)
            scp_kernels()->maps.add(scp_partial_bias(&c->partial, part, panel + i), values, pixels);
    }
}

static void add_tile(const struct correlate *c, size_t index, size_t part, size_t block,
                     const float *start, float *scratch) {
    const struct scp_gradient *g = c->g;
    const struct scp_tile tile = scp_tiles_at(&c->tiles, index);
    const struct scp_strip strip = scp_tiles_read(&c->tiles, &tile, &g->source, scratch);
    const size_t rows = strip.length, last = scp_min((block + 1) * c->block, c->partial.panels);
    const size_t a_step = g->x.stride * strip.pixel;
    const size_t panel_floats = c->tiles.height * c->tiles.width * 16;
    float *values = scratch + c->values;
    size_t *offsets = (size_t *)(void *)(scratch + c->offsets);
    for (size_t t = 0; t < tile.height; t++) offsets[t] = t * g->y.stride * strip.line;
    for (size_t panel = block * c->block, count; panel < last; panel += count) {
        count = scp_min(SCP_PANELS, last - panel);
        read_fixed(c, &tile, panel, count, part, values);
        const struct scp_gemm_form form = {
            offsets,      tile.height, tile.width,           1, a_step, count,
            panel_floats, 16,          c->partial.depth * 16};
        float *sums = scp_partial_sums(&c->partial, part, panel);
        for (size_t u = 0; u < g->y.taps; u++)
            for (size_t v = 0; v < strip.across; v++, sums += rows * 16)
                scp_kernels()->gemm.multiply(
                    sums, strip.first + u * g->y.step * strip.line + v * g->x.step * strip.pixel,
                    rows, values, &form, start);
    }
}

static enum scp_status run_task(void *context, size_t task, size_t worker) {
    const struct correlate *c = context;
    const struct scp_partial *p = &c->partial;
    const size_t block = task % c->blocks, part = task / c->blocks, first = block * c->block;
    memset(scp_partial_bias(p, part, first), 0,
           scp_min(c->block, p->panels - first) * 16 * sizeof(float));
    const size_t begin = part * c->tiles.count / p->parts;
    const size_t end = (part + 1) * c->tiles.count / p->parts;
    for (size_t tile = begin; tile < end; tile++)
        add_tile(c, tile, part, block, tile == begin ? scp_zeros : NULL,
                 c->scratch + worker * c->floats);
    return SCP_OK;
}

enum scp_status scp_gradient_gemm(const struct scp_gradient *gradient, const struct scp_run *run) {
    struct correlate c = {.g = gradient};
    divide(&c, scp_source_pixel(&gradient->source.map));
    c.scratch = scp_partial_place(&c.partial, run->workspace);
    const enum scp_status status =
        scp_parallel(c.partial.parts * c.blocks, run_task, &c, run->control);
    return status == SCP_OK ? scp_partial_add(&c.partial) : status;
}
