/* Winograd: blocks of tiles, and the product. A task transforms a block, multiplies it
 * with the transformed weights and writes the pixels.
 *
 * Wide layers, whose transformed weights do not fit in the caches: block after block of many tiles
 * is transformed by all threads together; then each thread takes panels of outputs, transforms
 * their weights and uses them at once for all tiles. Nothing of the size of all transformed weights
 * is ever written. With that of the gradient (conv_winograd_gradient.c) it takes 12 % from a
 * training step of `paper` (2 images, AVX-512, median of 8 turns: 5.6 s of CPU time against 6.5).
 */
#include "conv_winograd.h"

#include "source.h"

#define TASKS 16         /* wanted at least */
#define TILES 24         /* of a block, about: V and M stay in the second-level cache */
#define WIDE 144         /* of a wide block, at most: one use of the weights of a panel */
#define V_FLOATS 1400000 /* of a wide block, about: 5.6 MB of the last cache */
#define ROWS 2           /* of tiles, of one task of scp_winograd_wide */
#define SLICE 128        /* channels of it */

struct scp_winograd_form scp_winograd_form(const struct scp_axis *axis) {
    struct scp_winograd_form form = {.taps = axis->taps == 3 ? 3 : 2, .apart = axis->stride};
    form.parts = form.apart * form.apart;
    form.side = form.taps + 3;
    form.products = form.side * form.side;
    form.all = form.taps * form.apart;
    return form;
}

int scp_winograd_pays(const struct scp_axis *y, const struct scp_axis *x, size_t channels,
                      size_t outputs) {
    const int three = y->taps == 3 && y->stride == 1;
    const int two = y->taps == 2 * y->stride && y->stride <= 2;
    if (!(three || two) || y->step != 1 || x->step != 1) return 0;
    if (x->taps != y->taps || x->stride != y->stride) return 0;
    return channels >= 8 && outputs >= 8 && y->count >= 3 && x->count >= 3;
}

void scp_winograd_divide(struct scp_winograd_blocks *b, const struct scp_source *source,
                         const struct scp_axis *y, const struct scp_axis *x, size_t wanted,
                         int wide, int columns) {
    const size_t batch = source->map.batch;
    b->source = source;
    b->form = scp_winograd_form(y);
    b->top = y->origin;
    b->left = x->origin;
    b->tiles_y = scp_ceil_div(y->count, 4);
    b->tiles_x = scp_ceil_div(x->count, 4);
    b->lanes = scp_lanes_up(source->map.channels);
    const size_t deep = b->form.parts * b->lanes;
    if (wide) wanted = scp_min(wanted, scp_max(V_FLOATS / (b->form.products * deep), 24));
    b->block_x = scp_ceil_div(b->tiles_x, scp_ceil_div(b->tiles_x, 24));
    b->block_y = scp_min(b->tiles_y, scp_max(1, wanted / b->block_x));
    b->block_y = scp_ceil_div(b->tiles_y, scp_ceil_div(b->tiles_y, b->block_y));
    b->images = 1;
    if (b->block_y == b->tiles_y && b->block_x == b->tiles_x)
        b->images = scp_max(1, scp_min(batch, wanted / (b->tiles_y * b->tiles_x)));
    b->across = scp_ceil_div(b->tiles_x, b->block_x);
    b->down = scp_ceil_div(b->tiles_y, b->block_y);
    b->count = scp_ceil_div(batch, b->images) * b->across * b->down;
    b->max_tiles = b->images * b->block_y * b->block_x;
    b->tile = deep + (columns && deep >= 128 ? 16 : 0);
    b->v_step = b->max_tiles * b->tile + 16; /* not a multiple of the cache's way */
    const size_t rows = wide ? ROWS : b->block_y,
                 lanes = wide ? scp_min(SLICE, b->lanes) : b->lanes;
    b->scratch_floats = (4 * b->block_x + 2) * (96 + (4 * rows + 2) * lanes);
}

struct scp_winograd_block scp_winograd_block(const struct scp_winograd_blocks *b, size_t index) {
    struct scp_winograd_block block = {.image = index / b->across / b->down * b->images,
                                       .y = index / b->across % b->down * b->block_y,
                                       .x = index % b->across * b->block_x};
    block.images = scp_min(b->images, b->source->map.batch - block.image);
    block.width = scp_min(b->block_x, b->tiles_x - block.x);
    block.height = scp_min(b->block_y, b->tiles_y - block.y);
    block.tiles = block.images * block.height * block.width;
    return block;
}

void scp_winograd_read(float *v, const struct scp_winograd_blocks *b,
                       const struct scp_winograd_block *block, size_t first, size_t channels,
                       float *scratch) {
    const struct scp_winograd_form *form = &b->form;
    const size_t rows = 4 * block->height + form->side - 4;
    const size_t columns = 4 * block->width + form->side - 4;
    const size_t lanes = scp_lanes_up(channels), line = columns * lanes;
    const size_t step = block->width * b->tile;
    float *strip = scratch + 96 * (4 * b->block_x + 2);
    for (size_t part = 0; part < form->parts; part++) {
        float *to = v + part * b->lanes;
        const size_t y = 4 * block->y * form->apart + part / form->apart;
        const size_t x = 4 * block->x * form->apart + part % form->apart;
        struct scp_window window = {block->image,
                                    b->top + (ptrdiff_t)y,
                                    b->left + (ptrdiff_t)x,
                                    rows,
                                    columns,
                                    first,
                                    channels,
                                    0,
                                    form->apart};
        for (size_t i = 0; i < block->images; i++, window.image++) {
            scp_source_read(strip, lanes, line, b->source, &window);
            for (size_t t = 0; t < block->height; t++, to += step)
                scp_winograd_kernels(form)->input(to, b->v_step, b->tile, strip + 4 * t * line,
                                                  lanes, line, block->width, lanes, scratch);
        }
    }
}

/* Some rows of tiles of one image, some channels. */
static enum scp_status transform(void *context, size_t task, size_t worker) {
    const struct scp_winograd_blocks *b = context;
    const size_t channels = b->source->map.channels, slices = scp_ceil_div(channels, SLICE);
    const size_t groups = scp_ceil_div(b->block.height, ROWS), image = task / slices / groups;
    const size_t first = task % slices * SLICE, row = task / slices % groups * ROWS;
    struct scp_winograd_block part = b->block;
    part.image += image;
    part.images = 1;
    part.y += row;
    part.height = scp_min(ROWS, b->block.height - row);
    scp_winograd_read(b->v + (image * b->block.height + row) * part.width * b->tile + first, b,
                      &part, first, scp_min(SLICE, channels - first),
                      b->scratch + worker * b->scratch_floats);
    return SCP_OK;
}

enum scp_status scp_winograd_wide(struct scp_winograd_blocks *b, size_t tasks, scp_task run,
                                  void *context, const struct scp_control *control) {
    enum scp_status status = SCP_OK;
    for (size_t index = 0; status == SCP_OK && index < b->count; index++) {
        b->block = scp_winograd_block(b, index);
        const size_t parts = b->block.images * scp_ceil_div(b->block.height, ROWS) *
                             scp_ceil_div(b->source->map.channels, SLICE);
        status = scp_parallel(parts, transform, b, control);
        if (status == SCP_OK) status = scp_parallel(tasks, run, context, control);
    }
    return status;
}

struct winograd {
    const struct scp_product *p;
    struct scp_winograd_blocks blocks;
    int wide;
    size_t panels;        /* of 16 outputs */
    size_t share, shares; /* panels of a task, tasks of a block */
    size_t width, m_step; /* outputs multiplied at once, floats between the products in M */
    size_t step;          /* floats between them in the weights of a panel */
    size_t weights_floats, packed_floats; /* of a panel */
    float *packed, *weights, *bias;
};

static void divide(struct winograd *w) {
    const struct scp_product *p = w->p;
    const size_t channels = p->source.map.channels, outputs = p->target.channels;
    const struct scp_winograd_form form = scp_winograd_form(&p->y);
    w->wide = form.products * form.parts * channels * outputs >= 36 * 131072 && channels >= 64 &&
              outputs >= 64;
    scp_winograd_divide(&w->blocks, &p->source, &p->y, &p->x, w->wide ? WIDE : TILES, w->wide, 0);
    w->panels = scp_ceil_div(outputs, 16);
    w->shares = scp_min(scp_ceil_div(w->panels, 4), scp_ceil_div(TASKS, w->blocks.count));
    w->share = w->wide ? SCP_PANELS : scp_ceil_div(w->panels, w->shares);
    w->shares = scp_ceil_div(w->panels, w->share);
    w->width = scp_min(w->share, SCP_PANELS) * 16;
    w->m_step = w->blocks.max_tiles * w->width + 16;
    w->step = scp_winograd_step(&form, channels);
    w->weights_floats = form.products * w->step;
    w->packed_floats = scp_product_panel(p);
    const size_t m_floats = form.products * w->m_step;
    const size_t v_floats = form.products * w->blocks.v_step;
    size_t *floats = &w->blocks.scratch_floats;
    *floats = w->wide
                  ? scp_max(*floats, SCP_PANELS * w->weights_floats + m_floats + w->packed_floats)
                  : *floats + v_floats + m_floats;
}

/* Floats that all threads share: V, or the weights. */
static size_t shared_floats(const struct winograd *w) {
    return w->wide ? w->blocks.form.products * w->blocks.v_step
                   : w->panels * (w->packed_floats + w->weights_floats);
}

size_t scp_product_winograd_workspace(const struct scp_product *product, size_t threads) {
    struct winograd w = {.p = product};
    divide(&w);
    return shared_floats(&w) + w.panels * 16 + threads * w.blocks.scratch_floats;
}

/* One panel of weights: to [products][part][channels][16]. */
static void transform_panel(const struct winograd *w, size_t panel, float *packed, float *weights) {
    const struct scp_winograd_form *form = &w->blocks.form;
    const size_t tap = w->p->source.map.channels * 16; /* floats of one */
    scp_product_pack(packed, w->p, panel);
    for (size_t part = 0; part < form->parts; part++)
        scp_winograd_kernels(form)->weights(
            weights + part * tap, w->step, packed + scp_winograd_tap(form, part) * tap,
            form->apart * form->all * tap, form->apart * tap, w->p->source.map.channels);
}

static enum scp_status transform_weights(void *context, size_t panel, size_t worker) {
    const struct winograd *w = context;
    (void)worker;
    transform_panel(w, panel, w->packed + panel * w->packed_floats,
                    w->weights + panel * w->weights_floats);
    return SCP_OK;
}

/* Writes a panel of every tile of a block from M. */
static void write_panel(const struct winograd *w, size_t panel,
                        const struct scp_winograd_block *block, const float *m) {
    const struct scp_map *map = &w->p->target;
    const struct scp_axis *ay = &w->p->y, *ax = &w->p->x;
    const struct scp_winograd_kernels *kernels = scp_winograd_kernels(&w->blocks.form);
    const int accumulate = w->p->accumulate;
    const size_t pixel = map->stride * ax->place_step;
    const size_t line = map->width * map->stride * ay->place_step;
    const size_t count = scp_min(16, map->channels - panel * 16);
    const int narrow = map->stride < scp_lanes_up(map->channels) && count < 16;
    const float *bias = w->bias + panel * 16;
    for (size_t i = 0; i < block->images * block->height * block->width; i++, m += w->width) {
        const size_t ty = 4 * (block->y + i / block->width % block->height);
        const size_t tx = 4 * (block->x + i % block->width);
        const size_t image = block->image + i / block->width / block->height;
        const size_t rows = scp_min(4, ay->count - ty), columns = scp_min(4, ax->count - tx);
        float *to = scp_map_row(map, image, ay->place + ty * ay->place_step) +
                    (ax->place + tx * ax->place_step) * map->stride + panel * 16;
        if (!narrow) {
            kernels->output(to, pixel, line, rows, columns, m, w->m_step, accumulate ? NULL : bias);
            continue;
        }
        float tile[16 * 16];
        kernels->output(tile, 16, 64, rows, columns, m, w->m_step, bias);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                for (size_t o = 0; o < count; o++) {
                    float *at = to + r * line + c * pixel + o;
                    *at = tile[r * 64 + c * 16 + o] + (accumulate ? *at : 0);
                }
    }
}

/* The panels first .. last - 1 of a block: M = V weights, and the pixels. */
static void multiply(const struct winograd *w, const struct scp_winograd_block *block, size_t first,
                     size_t last, const float *v, const float *weights, float *m) {
    const struct scp_winograd_form *tile = &w->blocks.form;
    const size_t channels = w->p->source.map.channels;
    size_t parts[4];
    for (size_t part = 0; part < tile->parts; part++) parts[part] = part * w->blocks.lanes;
    for (size_t panel = first; panel < last; panel += w->width / 16) {
        const size_t count = scp_min(w->width / 16, last - panel);
        const struct scp_gemm_form form = {parts, tile->parts, channels,          w->blocks.tile,
                                           1,     count,       w->weights_floats, w->width,
                                           16};
        const float *u = weights + (panel - first) * w->weights_floats;
        for (size_t i = 0; i < tile->products; i++)
            scp_kernels()->gemm.multiply(m + i * w->m_step, v + i * w->blocks.v_step, block->tiles,
                                         u + i * w->step, &form, scp_zeros);
        for (size_t i = 0; i < count; i++) write_panel(w, panel + i, block, m + i * 16);
    }
}

static enum scp_status run_task(void *context, size_t task, size_t worker) {
    const struct winograd *w = context;
    const struct scp_winograd_block block = scp_winograd_block(&w->blocks, task / w->shares);
    const size_t first = task % w->shares * w->share;
    float *v = w->blocks.scratch + worker * w->blocks.scratch_floats,
          *m = v + w->blocks.form.products * w->blocks.v_step;
    scp_winograd_read(v, &w->blocks, &block, 0, w->p->source.map.channels,
                      m + w->blocks.form.products * w->m_step);
    multiply(w, &block, first, scp_min(first + w->share, w->panels), v,
             w->weights + first * w->weights_floats, m);
    return SCP_OK;
}

static enum scp_status run_wide_task(void *context, size_t task, size_t worker) {
    const struct winograd *w = context;
    const size_t first = task * SCP_PANELS, last = scp_min(first + SCP_PANELS, w->panels);
    float *weights = w->blocks.scratch + worker * w->blocks.scratch_floats;
    float *m = weights + SCP_PANELS * w->weights_floats;
    float *packed = m + w->blocks.form.products * w->m_step;
    for (size_t panel = first; panel < last; panel++)
        transform_panel(w, panel, packed, weights + (panel - first) * w->weights_floats);
    multiply(w, &w->blocks.block, first, last, w->blocks.v, weights, m);
    return SCP_OK;
}

enum scp_status scp_product_winograd(const struct scp_product *product, const struct scp_run *run) {
    struct winograd w = {.p = product, .weights = run->workspace};
    divide(&w);
    w.packed = w.weights + w.panels * w.weights_floats;
    w.bias = run->workspace + shared_floats(&w);
    w.blocks.v = run->workspace;
    w.blocks.scratch = w.bias + w.panels * 16;
    scp_product_bias(w.bias, product);
    if (!w.wide) {
        const enum scp_status status =
            scp_conv_parallel(w.panels * w.weights_floats, w.panels, transform_weights, &w);
        if (status != SCP_OK) return status;
        return scp_parallel(w.blocks.count * w.shares, run_task, &w, run->control);
    }
    return scp_winograd_wide(&w.blocks, w.shares, run_wide_task, &w, run->control);
}
