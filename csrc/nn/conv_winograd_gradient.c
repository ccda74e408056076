/* Winograd: the gradient of the weights. With V = B^T d B of every tile of the source and W = A dY
 * A^T of the same tile of the gradient, dU[products][part][in][out] = sum over tiles of V^T W and
 * dg = G^T dU G. A task sums dU in its thread's scratch; the partial dg are a quarter of that.
 *
 * Wide layers (conv_winograd.c): a block of many tiles is transformed by all threads together; then
 * each takes panels of outputs, sums dU over all tiles and adds dg to the gradients. Blocks follow
 * each other, and no two tasks share a panel: the order of sums is fixed. */
#include "conv_winograd_gradient.h"

#include <string.h>

#include "conv_winograd.h"
#include "source.h"

#define TILES 48  /* of a block, about */
#define WIDE 288  /* of a wide block, at most: sums are read and written once a block */
#define MANY 1024 /* tiles: that many pay for partial sums of somewhat wider layers */

struct winograd {
    const struct scp_gradient *g;
    struct scp_winograd_blocks blocks;
    int wide;
    size_t share, shares;         /* panels of a task, tasks of a part */
    size_t step, sums;            /* floats of one product of a panel of dU, of all of them */
    size_t w_step, values;        /* the same of a panel of W, [tiles][16] */
    size_t sums_floats, v_floats; /* of dU and V in the scratch of a thread */
    struct scp_partial partial;
};

/* Parts and shares of the panels: more parts mean more sums to collect and add (half of what it was
 * to clear and add all products), more shares more transforms of the source. */
static void choose_tasks(struct winograd *w) {
    struct scp_partial *p = &w->partial;
    const double tiles = (double)(w->g->fixed.map.batch * w->blocks.tiles_y * w->blocks.tiles_x);
    const double part_cost = (double)(p->panels * w->sums);
    const double lanes = (double)(w->blocks.form.parts * w->blocks.lanes);
    const double share_cost = 200 * tiles * lanes / 16;
    const size_t tasks = tiles * part_cost > 1e9 ? 16 : 8;
    double best = 0;
    for (size_t shares = 1; shares <= p->panels; shares *= 2) {
        const size_t parts =
            scp_partial_parts(p, scp_min(w->blocks.count, scp_max(1, tasks / shares)));
        const double idle = tasks > parts * shares ? (double)tasks / (double)(parts * shares) : 1;
        const double cost =
            (part_cost / 2 * (double)parts + share_cost * (double)shares + tiles * part_cost / 16) *
            (1 + 0.1 * (idle - 1));
        if (shares > 1 && cost >= best) continue;
        best = cost;
        w->shares = shares;
        p->parts = parts;
    }
    w->share = scp_ceil_div(p->panels, w->shares);
}

static void divide(struct winograd *w) {
    const struct scp_gradient *g = w->g;
    const size_t channels = g->source.map.channels, outputs = g->fixed.map.channels;
    const size_t tiles =
        g->fixed.map.batch * scp_ceil_div(g->y.count, 4) * scp_ceil_div(g->x.count, 4);
    const struct scp_winograd_form form = scp_winograd_form(&g->y);
    w->wide =
        form.products * form.parts * channels * outputs >= 36 * (tiles < MANY ? 16384u : 32768u) &&
        channels >= 64 && outputs >= 64;
    scp_winograd_divide(&w->blocks, &g->source, &g->y, &g->x, w->wide ? WIDE : TILES, w->wide, 1);
    w->partial = (struct scp_partial){.gradient = g,
                                      .panels = scp_ceil_div(outputs, 16),
                                      .depth = form.all * form.all * channels};
    w->step = scp_winograd_step(&form, channels);
    w->sums = form.products * w->step;
    w->share = SCP_PANELS;
    if (!w->wide) choose_tasks(w);
    w->shares = scp_ceil_div(w->partial.panels, w->share);
    w->w_step = w->blocks.max_tiles * 16 + 16;
    w->values = form.products * w->w_step;
    w->sums_floats = w->share * w->sums;
    w->v_floats = w->wide ? 0 : form.products * w->blocks.v_step;
    const size_t pixels = 16 * w->blocks.block_y * w->blocks.block_x * 16;
    const size_t products = w->sums_floats + w->v_floats + SCP_PANELS * w->values;
    size_t *floats = &w->blocks.scratch_floats;
    *floats = w->wide ? scp_max(*floats, products + pixels) : products + scp_max(*floats, pixels);
}

size_t scp_gradient_winograd_workspace(const struct scp_gradient *gradient, size_t threads) {
    struct winograd w = {.g = gradient};
    divide(&w);
    return (w.wide ? w.blocks.form.products * w.blocks.v_step : scp_partial_floats(&w.partial)) +
           threads * w.blocks.scratch_floats;
}

/* W of one panel of a block, and the sums of its pixels, added to the bias. */
static void read_gradient(const struct winograd *w, const struct scp_winograd_block *block,
                          size_t panel, float *values, float *bias, float *pixels) {
    const struct scp_gradient *g = w->g;
    const ptrdiff_t y = (ptrdiff_t)(4 * block->y), x = (ptrdiff_t)(4 * block->x);
    const size_t rows = 4 * block->height, columns = 4 * block->width, line = columns * 16;
    const size_t count = scp_min(16, g->fixed.map.channels - panel * 16);
    struct scp_window window = {block->image, y, x, rows, columns, panel * 16, count, 0, 1};
    for (size_t i = 0; i < block->images; i++, window.image++) {
        scp_source_read(pixels, 16, line, &g->fixed, &window);
        if (g->bias_grads) scp_kernels()->maps.add(bias, pixels, rows * columns);
        for (size_t ty = 0; ty < block->height; ty++)
            for (size_t tx = 0; tx < block->width; tx++, values += 16)
                scp_winograd_kernels(&w->blocks.form)
                    ->gradient(values, w->w_step, pixels + 4 * ty * line + 4 * tx * 16, 16, line);
    }
}

/* dU of the panels first .. last - 1 over a block; add: to what sums and bias hold. */
static void add_block(const struct winograd *w, const struct scp_winograd_block *block,
                      size_t first, size_t last, const float *v, float *sums, float *bias,
                      int add) {
    const size_t channels = w->g->source.map.channels;
    float *values = sums + w->sums_floats + w->v_floats, *pixels = values + SCP_PANELS * w->values;
    for (size_t panel = first, count; panel < last;
         panel += count, sums += count * w->sums, bias += count * 16) {
        count = scp_min(SCP_PANELS, last - panel);
        const struct scp_gemm_form form = {scp_one_run, 1,  block->tiles, 1, w->blocks.tile, count,
                                           w->values,   16, w->sums};
        for (size_t i = 0; i < count; i++)
            read_gradient(w, block, panel + i, values + i * w->values, bias + i * 16, pixels);
        for (size_t i = 0; i < w->blocks.form.products; i++)
            for (size_t part = 0; part < w->blocks.form.parts; part++)
                scp_kernels()->gemm.multiply(sums + i * w->step + part * channels * 16,
                                             v + i * w->blocks.v_step + part * w->blocks.lanes,
                                             channels, values + i * w->w_step, &form,
                                             add ? NULL : scp_zeros);
    }
}

static enum scp_status run_task(void *context, size_t task, size_t worker) {
    const struct winograd *w = context;
    const struct scp_partial *p = &w->partial;
    const size_t index = task / w->shares, first = task % w->shares * w->share;
    const size_t last = scp_min(first + w->share, p->panels), channels = w->g->source.map.channels;
    float *sums = w->blocks.scratch + worker * w->blocks.scratch_floats, *v = sums + w->sums_floats;
    float *strip = v + w->v_floats + SCP_PANELS * w->values;
    float *bias = scp_partial_bias(p, index, first);
    memset(bias, 0, (last - first) * 16 * sizeof *bias);
    const size_t begin = index * w->blocks.count / p->parts;
    const size_t end = (index + 1) * w->blocks.count / p->parts;
    for (size_t b = begin; b < end; b++) {
        const struct scp_winograd_block block = scp_winograd_block(&w->blocks, b);
        scp_winograd_read(v, &w->blocks, &block, 0, channels, strip);
        add_block(w, &block, first, last, v, sums, bias, b > begin);
    }
    const struct scp_winograd_form *form = &w->blocks.form;
    const size_t tap = channels * 16; /* floats of one */
    for (size_t panel = first; panel < last; panel++, sums += w->sums)
        for (size_t part = 0; part < form->parts; part++)
            for (size_t k = 0; k < channels; k++)
                scp_winograd_kernels(form)->collect(
                    scp_partial_sums(p, index, panel) + scp_winograd_tap(form, part) * tap + k * 16,
                    form->apart * form->all * tap, form->apart * tap,
                    sums + (part * channels + k) * 16, w->step);
    return SCP_OK;
}

/* Gradients of the taps of a part, of `count` channels from k on += dg[count][9][16]. */
static void add_taps(const struct scp_gradient *g, const struct scp_winograd_form *form,
                     size_t part, size_t k, size_t count, size_t panel, const float *dg) {
    const size_t first = scp_winograd_tap(form, part);
    for (size_t u = 0; u < form->taps; u++)
        for (size_t v = 0; v < form->taps; v++, dg += 16)
            scp_gradient_add(g, first + (u * form->all + v) * form->apart, k, count, panel, dg,
                             9 * 16);
}

static enum scp_status run_wide_task(void *context, size_t task, size_t worker) {
    const struct winograd *w = context;
    const struct scp_gradient *g = w->g;
    const struct scp_winograd_form *form = &w->blocks.form;
    const size_t channels = g->source.map.channels;
    const size_t first = task * SCP_PANELS, last = scp_min(first + SCP_PANELS, w->partial.panels);
    float *sums = w->blocks.scratch + worker * w->blocks.scratch_floats,
          bias[16 * SCP_PANELS] = {0}, dg[SCP_GRADIENT_GROUP * 9 * 16];
    add_block(w, &w->blocks.block, first, last, w->blocks.v, sums, bias, 0);
    for (size_t panel = first; panel < last; panel++, sums += w->sums)
        for (size_t part = 0; part < form->parts; part++)
            for (size_t k = 0, count; k < channels; k += count) {
                count = scp_min(SCP_GRADIENT_GROUP, channels - k);
                for (size_t i = 0; i < count; i++)
                    scp_winograd_kernels(form)->collect(dg + i * 9 * 16, form->taps * 16, 16,
                                                        sums + (part * channels + k + i) * 16,
                                                        w->step);
                add_taps(g, form, part, k, count, panel, dg);
            }
    if (g->bias_grads)
        for (size_t o = first * 16; o < scp_min(last * 16, g->fixed.map.channels); o++)
            g->bias_grads[o] += bias[o - first * 16];
    return SCP_OK;
}

enum scp_status scp_gradient_winograd(const struct scp_gradient *gradient,
                                      const struct scp_run *run) {
    struct winograd w = {.g = gradient};
    divide(&w);
    if (!w.wide) {
        w.blocks.scratch = scp_partial_place(&w.partial, run->workspace);
        const enum scp_status status =
            scp_parallel(w.partial.parts * w.shares, run_task, &w, run->control);
        return status == SCP_OK ? scp_partial_add(&w.partial) : status;
    }
    w.blocks.v = run->workspace;
    w.blocks.scratch = w.blocks.v + w.blocks.form.products * w.blocks.v_step;
    return scp_winograd_wide(&w.blocks, w.shares, run_wide_task, &w, run->control);
}
