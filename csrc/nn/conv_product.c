/* Products as implicit GEMM: every target pixel is a row of A, read from a strip of the source that
 * lies in cache, zero-bordered; its taps are runs of A. Weights are packed to panels of
 * 16 outputs, in the order in which the axes read their taps. */
#include "conv_product.h"

#include "../kernels/kernels.h"
#include "source.h"

#define TILE_FLOATS 98304 /* source and target of a tile: 384 KiB of the second-level cache */
#define DEPTH 384         /* of one pass over the packed weights: 24 KiB, in the first level */
#define TASKS 16          /* wanted at least */

void scp_product_pack(float *packed, const struct scp_product *p, size_t panel) {
    const size_t channels = p->source.map.channels, outputs = p->target.channels;
    const struct scp_maps_kernels *maps = &scp_kernels()->maps;
    for (size_t u = 0; u < p->y.taps; u++)
        for (size_t v = 0; v < p->x.taps; v++, packed += channels * 16) {
            const size_t row = (size_t)(p->y.first + (ptrdiff_t)u * p->y.weight_step);
            const size_t column = (size_t)(p->x.first + (ptrdiff_t)v * p->x.weight_step);
            const float *from = p->weights + (row * p->kernel_x + column) * channels * outputs;
            (p->swap ? maps->pack_transposed : maps->pack)(packed, from, channels, outputs, panel);
        }
}

struct gather {
    const struct scp_product *p;
    struct scp_tiles tiles;
    size_t panels, block, blocks;   /* of 16 outputs; of a task; tasks of a tile */
    size_t whole;                   /* panels written in place: all but a narrow last one */
    size_t tail, offsets, floats;   /* where they begin in the scratch of a thread; all of it */
    float *packed, *bias, *scratch; /* the scratch of all threads */
};

static void divide(struct gather *g, size_t pixel) {
    const struct scp_product *p = g->p;
    const size_t outputs = p->target.channels;
    scp_tiles_divide(&g->tiles, &p->y, &p->x, p->target.batch, pixel, scp_lanes_up(outputs),
                     TILE_FLOATS, 1);
    g->panels = scp_ceil_div(outputs, 16);
    g->blocks = scp_min(scp_ceil_div(g->panels, 2), scp_ceil_div(TASKS, g->tiles.count));
    g->block = scp_ceil_div(g->panels, g->blocks);
    g->blocks = scp_ceil_div(g->panels, g->block);
    g->whole = p->target.stride < g->panels * 16 ? outputs / 16 : g->panels;
    g->tail = g->tiles.strip;
    g->offsets = g->tail + (outputs % 16 ? g->tiles.height * g->tiles.width * 16 : 0);
    g->floats = g->offsets + scp_lanes_up(2 * p->y.taps * p->x.taps);
}

size_t scp_product_gemm_workspace(const struct scp_product *product, size_t threads) {
    struct gather g = {.p = product};
    const size_t channels = product->source.map.channels;
    divide(&g, channels); /* a dense map may take other tiles: the larger counts */
    const size_t dense = g.floats;
    divide(&g, scp_lanes_up(channels));
    return g.panels * (scp_product_panel(product) + 16) + threads * scp_max(dense, g.floats);
}

/* A task: a tile of targets, the panels first .. last - 1. */
struct task {
    const struct gather *g;
    struct scp_tile tile;
    struct scp_strip strip;
    size_t first, last, runs, target_pixel, target_line;
    const size_t *offsets;
    float *target, *tail;
};

/* Terms k .. of the sums of all pixels: those of part->count runs, `begin` floats into each. */
static void multiply(const struct task *t, struct scp_gemm_form *part, size_t begin, size_t k) {
    const struct scp_product *p = t->g->p;
    for (size_t panel = t->first; panel < t->last; panel += part->panels) {
        const float *b = t->g->packed + panel * scp_product_panel(p) + k * 16;
        const int apart = panel >= t->g->whole;
        const float *start = k || (p->accumulate && !apart) ? NULL : t->g->bias + panel * 16;
        part->panels = apart ? 1 : scp_min(SCP_PANELS, scp_min(t->last, t->g->whole) - panel);
        part->c_row = apart ? 16 : t->target_pixel;
        for (size_t row = 0; row < t->tile.height; row++)
            scp_kernels()->gemm.multiply(apart ? t->tail + row * t->tile.width * 16
                                               : t->target + row * t->target_line + panel * 16,
                                         t->strip.first + row * p->y.stride * t->strip.line + begin,
                                         t->tile.width, b, part, start);
    }
}

/* All depth, in pieces whose weights stay in the first level of the cache. */
static void multiply_all(const struct task *t) {
    const struct scp_product *p = t->g->p;
    const size_t length = t->strip.length, depth = t->runs * length;
    const size_t pieces = length > DEPTH ? scp_ceil_div(length, DEPTH) : 1;
    const size_t piece = pieces > 1 ? scp_ceil_div(length, pieces) : length;
    const size_t group = pieces > 1           ? 1
                         : depth <= 2 * DEPTH ? scp_max(t->runs, 1)
                                              : scp_max(1, DEPTH / scp_max(length, 1));
    size_t done = 0;
    for (size_t r = 0; r == 0 || r < t->runs; r += group)
        for (size_t begin = 0; begin == 0 || begin < length; begin += piece) {
            struct scp_gemm_form part = {.offsets = t->offsets + r,
                                         .count = t->runs ? scp_min(group, t->runs - r) : 0,
                                         .length = scp_min(piece, length - begin),
                                         .a_row = p->x.stride * t->strip.pixel,
                                         .a_step = 1,
                                         .b_panel = depth * 16,
                                         .c_panel = 16};
            multiply(t, &part, begin, done);
            done += part.count * part.length;
            if (piece == 0) break;
        }
}

/* The last channels of a dense map. */
static void write_tail(const struct task *t) {
    const struct scp_product *p = t->g->p;
    for (size_t row = 0; row < t->tile.height; row++)
        for (size_t i = 0; i < t->tile.width; i++) {
            float *to = t->target + row * t->target_line + i * t->target_pixel + t->g->whole * 16;
            const float *from = t->tail + (row * t->tile.width + i) * 16;
            for (size_t o = 0; o < p->target.channels % 16; o++)
                to[o] = p->accumulate ? to[o] + from[o] : from[o];
        }
}

static enum scp_status run_task(void *context, size_t task, size_t worker) {
    const struct gather *g = context;
    const struct scp_product *p = g->p;
    const struct scp_map *map = &p->target;
    float *scratch = g->scratch + worker * g->floats;
    size_t *offsets = (size_t *)(void *)(scratch + g->offsets);
    struct task t = {.g = g,
                     .tile = scp_tiles_at(&g->tiles, task / g->blocks),
                     .first = task % g->blocks * g->block,
                     .target_pixel = map->stride * p->x.place_step,
                     .target_line = map->width * map->stride * p->y.place_step,
                     .offsets = offsets,
                     .tail = scratch + g->tail};
    t.strip = scp_tiles_read(&g->tiles, &t.tile, &p->source, scratch);
    t.last = scp_min(t.first + g->block, g->panels);
    t.runs = p->y.taps * t.strip.across;
    t.target = scp_map_row(map, t.tile.image, p->y.place + t.tile.y * p->y.place_step) +
               (p->x.place + t.tile.x * p->x.place_step) * map->stride;
    for (size_t u = 0; u < p->y.taps; u++)
        for (size_t v = 0; v < t.strip.across; v++)
            offsets[u * t.strip.across + v] =
                u * p->y.step * t.strip.line + v * p->x.step * t.strip.pixel;
    multiply_all(&t);
    if (g->whole < g->panels && t.last == g->panels) write_tail(&t);
    return SCP_OK;
}

static enum scp_status pack(void *context, size_t panel, size_t worker) {
    const struct gather *g = context;
    (void)worker;
    scp_product_pack(g->packed + panel * scp_product_panel(g->p), g->p, panel);
    return SCP_OK;
}

enum scp_status scp_product_gemm(const struct scp_product *product, const struct scp_run *run) {
    struct gather g = {.p = product, .packed = run->workspace};
    const size_t panel = scp_product_panel(product);
    divide(&g, scp_source_pixel(&product->source.map));
    g.bias = g.packed + g.panels * panel;
    g.scratch = g.bias + g.panels * 16;
    scp_product_bias(g.bias, product);
    const enum scp_status status = scp_conv_parallel(g.panels * panel, g.panels, pack, &g);
    if (status != SCP_OK) return status;
    return scp_parallel(g.tiles.count * g.blocks, run_task, &g, run->control);
}
