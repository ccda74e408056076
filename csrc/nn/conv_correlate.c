/* The gradient with respect to weights: sums over pixels of source (shifted by each tap) times the
 * fixed map. Strips of pixels are added to a fixed number of partial sums, which are then added in
 * order: the same bits at any number of threads. */
#include "conv_parts.h"

#include <string.h>

#define STRIP_FLOATS 49152      /* 192 KiB of the second-level cache */
#define PARTS 32                /* partial sums times blocks of outputs, at most */
#define PARTIAL_FLOATS 16777216 /* 64 MiB of partial sums, at most (or one) */

struct correlate {
    struct scp_source source, fixed;
    struct scp_axis y, x;
    int direct, biased;
    size_t pixel, rows, columns, tile_y, tile_x, tiles_y, tiles_x, panels, block, blocks;
    size_t steps; /* taps * channels */
    size_t tiles, parts, strip, values, offsets;
    float *partial, *partial_bias, *scratch;
    const struct scp_nn_kernels *kernels;
};

static void divide(struct correlate *c, size_t batch, size_t pixel, size_t channels,
                   size_t outputs) {
    const size_t height = c->y.count, width = c->x.count;
    c->pixel = pixel;
    c->steps = c->y.taps * c->x.taps * channels;
    c->panels = scp_ceil_div(outputs, 16);
    c->block = c->panels > 8 ? 4 : c->panels;
    c->blocks = scp_ceil_div(c->panels, c->block);
    scp_axis_tile(&c->tile_y, &c->tile_x, &c->y, &c->x, pixel, 16, STRIP_FLOATS);
    c->tiles_x = scp_ceil_div(width, c->tile_x);
    while (c->tile_y > 4 && batch * c->tiles_x * scp_ceil_div(height, c->tile_y) * c->blocks < 16)
        c->tile_y = scp_ceil_div(c->tile_y, 2);
    c->tile_y = scp_ceil_div(height, scp_ceil_div(height, c->tile_y));
    c->tiles_y = scp_ceil_div(height, c->tile_y);
    c->tiles = batch * c->tiles_y * c->tiles_x;
    const size_t room = PARTIAL_FLOATS / (c->panels * 16 * c->steps);
    c->parts = scp_max(1, scp_min(scp_min(c->tiles, PARTS / c->blocks), room));
    c->rows = scp_axis_span(&c->y, c->tile_y);
    c->columns = scp_axis_span(&c->x, c->tile_x);
    c->strip = scp_line_up(c->rows * c->columns * pixel);
    c->values = c->tile_y * c->tile_x * 16;
    c->offsets = scp_line_up(2 * c->tile_y);
}

static size_t total(const struct correlate *c, size_t threads) {
    return c->parts * c->panels * 16 * (c->steps + 1) +
           threads * (c->strip + SCP_PANELS * c->values + c->offsets);
}

size_t scp_correlate_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                               size_t channels, size_t outputs, size_t threads) {
    struct correlate c = {.y = *y, .x = *x};
    if (!batch || !y->count || !x->count) return 0;
    divide(&c, batch, channels, channels, outputs);
    const size_t dense = total(&c, threads);
    divide(&c, batch, scp_lanes_up(channels), channels, outputs);
    return scp_max(dense, total(&c, threads));
}

/* Where tile `tile` lies, in targets. */
struct place {
    size_t image, y, x, height, width;
};

static struct place place_of(const struct correlate *c, size_t tile) {
    const size_t x = tile % c->tiles_x * c->tile_x, y = tile / c->tiles_x % c->tiles_y * c->tile_y;
    return (struct place){tile / c->tiles_x / c->tiles_y, y, x, scp_min(c->tile_y, c->y.count - y),
                          scp_min(c->tile_x, c->x.count - x)};
}

/* What is read after the panels before `panel` of a tile: the next panels, or the next tile. */
static size_t next_of(const struct correlate *c, size_t tile, size_t last_tile, size_t first,
                      size_t last, size_t panel, struct scp_fetch fetch[4]) {
    const int new = panel >= last;
    if (new && tile + 1 >= last_tile) return 0;
    const struct place at = place_of(c, tile + (size_t)new);
    const size_t from = new ? first : panel;
    scp_fetch_source(fetch, &c->fixed, at.image, (ptrdiff_t)at.y, (ptrdiff_t)at.x, at.height,
                     at.width, from * 16, scp_min(SCP_PANELS, last - from));
    if (!new) return 2;
    scp_fetch_source(fetch + 2, &c->source, at.image, c->y.origin + (ptrdiff_t)(at.y * c->y.stride),
                     c->x.origin + (ptrdiff_t)(at.x * c->x.stride), scp_axis_span(&c->y, at.height),
                     scp_axis_span(&c->x, at.width), 0, scp_lanes_up(c->source.map.channels) / 16);
    return 4;
}

static void add_tile(const struct correlate *c, size_t tile, size_t last_tile, size_t part,
                     size_t block, const float *start, float *scratch) {
    const struct place at = place_of(c, tile);
    const size_t image = at.image, channels = c->source.map.channels;
    const size_t t0 = at.y, height = at.height, x0 = at.x, width = at.width;
    const ptrdiff_t top = c->y.origin + (ptrdiff_t)(t0 * c->y.stride);
    const ptrdiff_t left = c->x.origin + (ptrdiff_t)(x0 * c->x.stride);
    float *strip = scratch, *values = scratch + c->strip;
    size_t *offsets = (size_t *)(void *)(values + SCP_PANELS * c->values);
    const float *base = strip;
    size_t pixel = c->pixel, line = c->columns * pixel;
    if (c->direct) {
        pixel = c->source.map.stride;
        line = c->source.map.width * pixel;
        base = c->source.map.data + image * c->source.map.height * line + (size_t)top * line +
               (size_t)left * pixel;
    } else {
        const size_t rows = scp_axis_span(&c->y, height), columns = scp_axis_span(&c->x, width);
        for (size_t i = 0; i < rows; i++)
            scp_source_row(strip + i * line, pixel, c->kernels, &c->source, image,
                           top + (ptrdiff_t)i, left, columns, 0, channels);
    }
    const int merged = c->x.taps == 1 || (c->x.step == 1 && pixel == channels);
    const size_t across = merged ? 1 : c->x.taps, rows = merged ? c->x.taps * channels : channels;
    for (size_t t = 0; t < height; t++) offsets[t] = t * c->y.stride * line;
    const size_t first = block * c->block, last = scp_min(first + c->block, c->panels);
    for (size_t panel = first, count; panel < last; panel += count) {
        count = scp_min(SCP_PANELS, last - panel);
        for (size_t i = 0; i < count; i++) {
            float *of = values + i * c->values;
            const size_t from = (panel + i) * 16;
            for (size_t t = 0; t < height; t++)
                scp_source_row(of + t * width * 16, 16, c->kernels, &c->fixed, image,
                               (ptrdiff_t)(t0 + t), (ptrdiff_t)x0, width, from,
                               scp_min(16, c->fixed.map.channels - from));
            if (c->biased)
                c->kernels->add(c->partial_bias + part * c->panels * 16 + from, of, height * width);
        }
        struct scp_fetch fetch[4];
        struct scp_ask ask;
        const struct scp_gemm_form form = {offsets,   height,        width, count,
                                           c->values, c->steps * 16, &ask};
        const size_t asked = next_of(c, tile, last_tile, first, last, panel + count, fetch);
        float *sums = c->partial + (part * c->panels + panel) * c->steps * 16;
        for (size_t u = 0; u < c->y.taps; u++)
            for (size_t v = 0; v < across; v++, sums += rows * 16) {
                scp_fetch_share(&ask, fetch, asked, u * across + v, c->y.taps * across);
                c->kernels->gemm(sums, 16, base + u * c->y.step * line + v * c->x.step * pixel, 1,
                                 c->x.stride * pixel, rows, values, &form, start);
            }
    }
}

static enum scp_status run(void *context, size_t task, size_t worker) {
    static const float zeros[16 * SCP_PANELS] = {0};
    const struct correlate *c = context;
    const size_t block = task % c->blocks, part = task / c->blocks;
    const size_t first = block * c->block, count = scp_min(c->block, c->panels - first);
    memset(c->partial_bias + (part * c->panels + first) * 16, 0, count * 16 * sizeof(float));
    const size_t begin = part * c->tiles / c->parts, end = (part + 1) * c->tiles / c->parts;
    for (size_t tile = begin; tile < end; tile++)
        add_tile(c, tile, end, part, block, tile == begin ? zeros : NULL,
                 c->scratch + worker * (c->strip + SCP_PANELS * c->values + c->offsets));
    return SCP_OK;
}

/* One panel. */
static enum scp_status add_panel(void *context, size_t panel, size_t worker) {
    const struct scp_partial *p = context;
    const size_t channels = p->channels, outputs = p->outputs, o = panel * 16;
    const size_t count = scp_min(16, outputs - o);
    (void)worker;
    for (size_t k = 0; k < p->steps; k++) {
        float sum[16] = {0};
        for (size_t part = 0; part < p->parts; part++) {
            const float *from = p->sums + ((part * p->panels + panel) * p->steps + k) * 16;
            for (size_t j = 0; j < 16; j++) sum[j] += from[j];
        }
        scp_gradient_add(p->gradients + k / channels * channels * outputs, sum, k % channels, o,
                         channels, outputs, p->swap);
    }
    if (p->bias_grads)
        for (size_t part = 0; part < p->parts; part++)
            for (size_t j = 0; j < count; j++)
                p->bias_grads[o + j] += p->bias[(part * p->panels + panel) * 16 + j];
    return SCP_OK;
}

enum scp_status scp_partial_add(struct scp_partial *p) {
    return scp_conv_parallel(p->parts * p->panels * p->steps * 16, p->panels, add_panel, p);
}

enum scp_status scp_correlate(float *gradients, int swap, float *bias_grads,
                              const struct scp_source *source, const struct scp_source *fixed,
                              const struct scp_axis *y, const struct scp_axis *x, float *workspace,
                              const struct scp_control *control) {
    struct correlate c = {.source = *source,
                          .fixed = *fixed,
                          .y = *y,
                          .x = *x,
                          .biased = bias_grads != NULL,
                          .kernels = scp_nn_kernels()};
    if (!fixed->map.batch || !y->count || !x->count) return SCP_OK;
    divide(&c, fixed->map.batch, scp_strip_pixel(&source->map), source->map.channels,
           fixed->map.channels);
    c.direct = scp_source_identity(source) && scp_axis_inside(y, source->map.height) &&
               scp_axis_inside(x, source->map.width);
    c.partial = workspace;
    c.partial_bias = c.partial + c.parts * c.panels * 16 * c.steps;
    c.scratch = c.partial_bias + c.parts * c.panels * 16;
    struct scp_partial partial = {
        c.partial,           c.partial_bias, c.parts,   c.panels,  c.steps, source->map.channels,
        fixed->map.channels, swap,           gradients, bias_grads};
    const enum scp_status status = scp_parallel(c.parts * c.blocks, run, &c, control);
    return status == SCP_OK ? scp_partial_add(&partial) : status;
}

struct sums {
    const struct scp_source *source;
    float *sums;
    const struct scp_nn_kernels *kernels;
};

/* One panel, row by row. */
static enum scp_status sum_panel(void *context, size_t panel, size_t worker) {
    const struct sums *s = context;
    const struct scp_map *map = &s->source->map;
    const size_t count = scp_min(16, map->channels - panel * 16);
    float buffer[64 * 16];
    double total[16] = {0};
    (void)worker;
    for (size_t row = 0; row < map->batch * map->height; row++) {
        float sum[16] = {0};
        for (size_t x = 0; x < map->width; x += 64) {
            const size_t pixels = scp_min(64, map->width - x);
            scp_source_row(buffer, 16, s->kernels, s->source, row / map->height,
                           (ptrdiff_t)(row % map->height), (ptrdiff_t)x, pixels, panel * 16, count);
            s->kernels->add(sum, buffer, pixels);
        }
        for (size_t j = 0; j < 16; j++) total[j] += (double)sum[j];
    }
    for (size_t j = 0; j < count; j++) s->sums[panel * 16 + j] += (float)total[j];
    return SCP_OK;
}

enum scp_status scp_source_sums(float *sums, const struct scp_source *source,
                                const struct scp_control *control) {
    struct sums s = {source, sums, scp_nn_kernels()};
    return scp_parallel(scp_ceil_div(source->map.channels, 16), sum_panel, &s, control);
}
