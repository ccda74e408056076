/* Implicit matrix product: every target pixel is a row of A, read in place from a strip of the
 * source that lies in cache, zero-bordered; its taps are runs of A, and the weights are packed. */
#include "conv_parts.h"

#include <string.h>

#define TILE_FLOATS 98304 /* source and target of a tile: 384 KiB of the second-level cache */
#define STEPS 384         /* of one pass over the packed weights: 24 KiB, in the first level */
#define TASKS 16          /* wanted at least */

struct gather {
    struct scp_map target;
    int accumulate;
    struct scp_source source;
    struct scp_axis y, x;
    int direct; /* the source itself is read, no strip */
    size_t pixel, rows, columns, tile_y, tile_x, tiles_y, tiles_x, panels, block, blocks;
    size_t tasks, threads;
    size_t strip, offsets, tail; /* floats of the scratch of one thread */
    struct scp_weights weights;
    float *packed, *bias, *scratch;
    const struct scp_nn_kernels *kernels;
};

/* Sizes of the tiles: from the shapes alone. */
static void divide(struct gather *g, size_t batch, size_t pixel, size_t outputs) {
    const size_t height = g->y.count, width = g->x.count;
    g->pixel = pixel;
    scp_axis_tile(&g->tile_y, &g->tile_x, &g->y, &g->x, pixel, scp_lanes_up(outputs), TILE_FLOATS);
    g->tiles_x = scp_ceil_div(width, g->tile_x);
    while (g->tile_y > 4 && batch * g->tiles_x * scp_ceil_div(height, g->tile_y) < TASKS)
        g->tile_y = scp_ceil_div(g->tile_y, 2);
    g->tile_y = scp_ceil_div(height, scp_ceil_div(height, g->tile_y));
    g->tiles_y = scp_ceil_div(height, g->tile_y);
    g->panels = scp_ceil_div(outputs, 16);
    g->blocks =
        scp_min(scp_ceil_div(g->panels, 2), scp_ceil_div(TASKS, batch * g->tiles_x * g->tiles_y));
    g->block = scp_ceil_div(g->panels, g->blocks);
    g->blocks = scp_ceil_div(g->panels, g->block);
    g->rows = scp_axis_span(&g->y, g->tile_y);
    g->columns = scp_axis_span(&g->x, g->tile_x);
    g->strip = scp_line_up(g->rows * g->columns * pixel);
    g->offsets = scp_line_up(2 * g->y.taps * g->x.taps);
    g->tail = outputs % 16 ? g->tile_y * g->tile_x * 16 : 0;
}

static size_t packed_floats(const struct gather *g, size_t channels) {
    return g->panels * 16 * g->y.taps * g->x.taps * channels;
}

size_t scp_gather_workspace(size_t batch, const struct scp_axis *y, const struct scp_axis *x,
                            size_t channels, size_t outputs, size_t threads) {
    struct gather g = {.y = *y, .x = *x};
    if (!y->count || !x->count) return 0;
    divide(&g, batch, channels, outputs); /* a dense map may take other tiles: the larger counts */
    const size_t dense = g.strip + g.offsets + g.tail;
    divide(&g, batch, scp_lanes_up(channels), outputs);
    return packed_floats(&g, channels) + g.panels * 16 +
           threads * scp_max(dense, g.strip + g.offsets + g.tail);
}

/* The targets of a task, and where its source begins. */
struct place {
    size_t block, image, y, x, height, width;
    ptrdiff_t top, left;
};

static struct place place_of(const struct gather *g, size_t task) {
    const size_t tile = task / g->blocks, tile_x = tile % g->tiles_x, rows = tile / g->tiles_x;
    const size_t y = rows % g->tiles_y * g->tile_y, x = tile_x * g->tile_x;
    return (struct place){task % g->blocks,
                          rows / g->tiles_y,
                          y,
                          x,
                          scp_min(g->tile_y, g->y.count - y),
                          scp_min(g->tile_x, g->x.count - x),
                          g->y.origin + (ptrdiff_t)(y * g->y.stride),
                          g->x.origin + (ptrdiff_t)(x * g->x.stride)};
}

/* What is used after the panels before `panel` of a task: the next panels of the target, or those
 * and the source of the task that this thread will take next, probably. */
static size_t next_of(const struct gather *g, size_t task, size_t panel,
                      struct scp_fetch fetch[3]) {
    struct place at = place_of(g, task);
    const size_t last = scp_min((at.block + 1) * g->block, g->panels);
    const int new = panel >= last;
    if (new && (task += g->threads) >= g->tasks) return 0;
    if (new) at = place_of(g, task);
    const size_t from = new ? at.block * g->block : panel;
    const struct scp_map *map = &g->target;
    scp_fetch_begin(fetch, map, at.image, (ptrdiff_t)(g->y.place + at.y * g->y.place_step),
                    (ptrdiff_t)(g->x.place + at.x * g->x.place_step),
                    (at.height - 1) * g->y.place_step + 1, (at.width - 1) * g->x.place_step + 1,
                    from * 16, scp_min(SCP_PANELS, (new ? g->panels : last) - from));
    if (!new) return 1;
    scp_fetch_source(fetch + 1, &g->source, at.image, at.top, at.left,
                     scp_axis_span(&g->y, at.height), scp_axis_span(&g->x, at.width), 0,
                     scp_lanes_up(g->source.map.channels) / 16);
    return 3;
}

static enum scp_status run(void *context, size_t task, size_t worker) {
    const struct gather *g = context;
    const size_t outputs = g->target.channels, channels = g->source.map.channels;
    const struct place at = place_of(g, task);
    const size_t block = at.block, image = at.image;
    const size_t t0 = at.y, t1 = t0 + at.height, x0 = at.x, x1 = x0 + at.width;
    const ptrdiff_t top = at.top, left = at.left;
    float *scratch = g->scratch + worker * (g->strip + g->offsets + g->tail);
    float *strip = scratch, *tail = scratch + g->strip + g->offsets;
    size_t *offsets = (size_t *)(void *)(scratch + g->strip);

    const float *base = strip;
    size_t pixel = g->pixel, line = g->columns * pixel;
    if (g->y.taps == 0 || g->x.taps == 0) {
        line = 0;
    } else if (g->direct) {
        pixel = g->source.map.stride;
        line = g->source.map.width * pixel;
        base = g->source.map.data + image * g->source.map.height * line + (size_t)top * line +
               (size_t)left * pixel;
    } else {
        const size_t rows = scp_axis_span(&g->y, t1 - t0), columns = scp_axis_span(&g->x, x1 - x0);
        for (size_t i = 0; i < rows; i++)
            scp_source_row(strip + i * line, pixel, g->kernels, &g->source, image,
                           top + (ptrdiff_t)i, left, columns, 0, channels);
    }

    /* Runs: taps of a row of the kernel are one run where their pixels touch. */
    const int merged = g->x.taps == 1 || (g->x.step == 1 && pixel == channels);
    const size_t across = merged ? 1 : g->x.taps, runs = g->y.taps * across;
    const size_t length = merged ? g->x.taps * channels : channels, steps = runs * length;
    for (size_t u = 0; u < g->y.taps; u++)
        for (size_t v = 0; v < across; v++)
            offsets[u * across + v] = u * g->y.step * line + v * g->x.step * pixel;

    const size_t pieces = length > STEPS ? scp_ceil_div(length, STEPS) : 1;
    const size_t piece = pieces > 1 ? scp_ceil_div(length, pieces) : length;
    const size_t group = pieces > 1           ? 1
                         : steps <= 2 * STEPS ? scp_max(runs, 1)
                                              : scp_max(1, STEPS / scp_max(length, 1));
    const size_t last = scp_min((block + 1) * g->block, g->panels);
    const int narrow = g->target.stride < g->panels * 16;
    const size_t whole = narrow ? outputs / 16 : g->panels; /* panels written in place */
    const size_t target_line = g->target.width * g->target.stride * g->y.place_step;
    const size_t target_pixel = g->target.stride * g->x.place_step;
    float *target =
        g->target.data +
        ((image * g->target.height + g->y.place + t0 * g->y.place_step) * g->target.width +
         g->x.place + x0 * g->x.place_step) *
            g->target.stride;
    size_t done = 0;
    for (size_t r = 0; r == 0 || r < runs; r += group)
        for (size_t p = 0; p < pieces; p++) {
            const size_t begin = p * piece, size = scp_min(piece, length - begin);
            struct scp_gemm_form part = {.offsets = offsets + r,
                                         .count = runs ? scp_min(group, runs - r) : 0,
                                         .length = size,
                                         .b_panel = steps * 16,
                                         .c_panel = 16};
            for (size_t panel = block * g->block; panel < last; panel += part.panels) {
                const float *b = g->packed + (panel * steps + done) * 16;
                const int apart = panel >= whole;
                part.panels = apart ? 1 : scp_min(SCP_PANELS, scp_min(last, whole) - panel);
                const float *start =
                    done || (g->accumulate && !apart) ? NULL : g->bias + panel * 16;
                struct scp_ask ask;
                struct scp_fetch fetch[3];
                /* Products of less than four steps ask for nothing. */
                const size_t asked =
                    done || size < 4 ? 0 : next_of(g, task, panel + part.panels, fetch);
                part.ask = asked ? &ask : NULL;
                for (size_t t = 0; t < t1 - t0; t++) {
                    scp_fetch_share(&ask, fetch, asked, t, t1 - t0);
                    g->kernels->gemm(
                        apart ? tail + t * g->tile_x * 16 : target + t * target_line + panel * 16,
                        apart ? 16 : target_pixel, base + t * g->y.stride * line + begin,
                        g->x.stride * pixel, 1, x1 - x0, b, &part, start);
                }
            }
            done += part.count * size;
        }
    if (narrow && outputs % 16 && last == g->panels) { /* the last channels of a dense map */
        for (size_t t = 0; t < t1 - t0; t++)
            for (size_t i = 0; i < x1 - x0; i++) {
                float *to = target + t * target_line + i * target_pixel + whole * 16;
                const float *from = tail + (t * g->tile_x + i) * 16;
                for (size_t o = 0; o < outputs % 16; o++)
                    to[o] = g->accumulate ? to[o] + from[o] : from[o];
            }
    }
    return SCP_OK;
}

static enum scp_status pack(void *context, size_t panel, size_t worker) {
    const struct gather *g = context;
    const size_t steps = g->y.taps * g->x.taps * g->weights.channels;
    (void)worker;
    scp_conv_pack(g->packed + panel * steps * 16, &g->weights, panel, g->kernels);
    return SCP_OK;
}

enum scp_status scp_gather(const struct scp_map *target, int accumulate,
                           const struct scp_source *source, const struct scp_axis *y,
                           const struct scp_axis *x, const float *weights, size_t kernel_x,
                           int swap, const float *bias, float *workspace,
                           const struct scp_control *control) {
    struct gather g = {.target = *target,
                       .accumulate = accumulate,
                       .source = *source,
                       .y = *y,
                       .x = *x,
                       .kernels = scp_nn_kernels()};
    const size_t outputs = target->channels, channels = source->map.channels;
    if (!y->count || !x->count || !target->batch) return SCP_OK;
    divide(&g, target->batch, scp_strip_pixel(&source->map), outputs);
    g.direct = scp_source_identity(source) && scp_axis_inside(y, source->map.height) &&
               scp_axis_inside(x, source->map.width);
    g.packed = workspace;
    g.bias = g.packed + packed_floats(&g, channels);
    g.scratch = g.bias + g.panels * 16;
    memset(g.bias, 0, g.panels * 16 * sizeof(float));
    if (bias) memcpy(g.bias, bias, outputs * sizeof(float));
    g.weights = (struct scp_weights){weights, kernel_x, channels, outputs, y, x, swap};
    const enum scp_status status =
        scp_conv_parallel(packed_floats(&g, channels), g.panels, pack, &g);
    if (status != SCP_OK) return status;
    g.tasks = target->batch * g.tiles_y * g.tiles_x * g.blocks;
    g.threads = scp_threads();
    return scp_parallel(g.tasks, run, &g, control);
}
