/* The views of a step of refinement, and where their landmarks lie. */
#include <math.h>

#include "scp/alloc.h"
#include "scp/refine.h"
#include "view.h"

#define REFINE_KEY 0x5343505f5245464eu
#define STREAMS 4 /* of an item: 0 its view and 1 its noise */

static size_t labelled_of(const struct scp_refine_options *o, const struct scp_labels *labels) {
    return labels->n_labelled ? o->labelled : 0;
}

static size_t pseudo_of(const struct scp_refine_options *o, const struct scp_labels *labels) {
    return labels->n_pseudo ? o->pseudo : 0;
}

size_t scp_refine_items(const struct scp_refine_options *o, const struct scp_labels *labels) {
    return labelled_of(o, labels) + pseudo_of(o, labels);
}

/* The first row that is no image of the pool; n when there is none. */
static size_t first_beyond(const uint32_t *rows, size_t n, size_t count) {
    size_t i = 0;
    while (i < n && rows[i] < count) i++;
    return i;
}

enum scp_status scp_refine_check(const struct scp_refine_options *o, const struct scp_pool *pool,
                                 const struct scp_labels *labels,
                                 const struct scp_control *control) {
    size_t numbers, pixels;
    const size_t items = scp_refine_items(o, labels);
    const enum scp_status status = scp_options_check(&scp_refine_table, o, control);
    if (status != SCP_OK) return status;
    if (items == 0)
        return scp_invalid(control, "labelled, pseudo", SCP_WHOLE,
                           "must give one image per step or more");
    if (pool->count == 0 || pool->count > UINT32_MAX || pool->height == 0 || pool->width == 0 ||
        pool->height > 1u << 15 || pool->width > 1u << 15)
        return scp_invalid(control, "pool", SCP_SHAPE,
                           "must hold images of 1 to 32768 pixels a side");
    if (labels->landmarks == 0 || labels->landmarks > SCP_REFINE_MAX_LANDMARKS)
        return scp_invalid(control, "points", SCP_SHAPE, "must have 1 to 1024 landmarks");
    size_t bad = first_beyond(labels->labelled, labels->n_labelled, pool->count);
    if (bad < labels->n_labelled)
        return scp_invalid(control, "labelled_rows", bad, "must be an image of the pool");
    bad = first_beyond(labels->pseudo, labels->n_pseudo, pool->count);
    if (bad < labels->n_pseudo)
        return scp_invalid(control, "pseudo_rows", bad, "must be an image of the pool");
    if (scp_size_mul(pool->height, pool->width, &pixels) ||
        scp_size_mul(pixels, pool->count, &numbers) || scp_size_mul(numbers, 4, &numbers) ||
        scp_size_mul(pixels, items, &numbers) || scp_size_mul(numbers, 16, &numbers) ||
        scp_size_mul(pool->count, labels->landmarks, &numbers))
        return SCP_ENOMEM;
    for (size_t i = 0; i < numbers; i++) {
        if (!(labels->weights[i] >= 0 && labels->weights[i] <= 1))
            return scp_invalid(control, "weights", i, "must be 0 to 1");
        if (labels->weights[i] > 0 &&
            !(isfinite(labels->points[2 * i]) && isfinite(labels->points[2 * i + 1])))
            return scp_invalid(control, "points", 2 * i, "must be finite where there is a weight");
    }
    return SCP_OK;
}

struct work {
    struct scp_refine_batch *batch;
    const struct scp_pool *pool;
    const struct scp_labels *labels;
    const struct scp_refine_options *options;
    uint64_t step;
};

static void place(float *points, float *weights, const struct work *w, size_t source,
                  const struct view *view) {
    const size_t landmarks = w->labels->landmarks;
    for (size_t l = 0; l < landmarks; l++) {
        const float *from = w->labels->points + 2 * (source * landmarks + l);
        double at[2] = {0, 0};
        weights[l] = w->labels->weights[source * landmarks + l];
        if (weights[l] > 0 && (view_inverse(at, view, (double)from[0], (double)from[1]) ||
                               !(at[0] >= -0.5 && at[0] < (double)view->width - 0.5 &&
                                 at[1] >= -0.5 && at[1] < (double)view->height - 0.5)))
            weights[l] = 0;
        points[2 * l] = weights[l] > 0 ? (float)at[0] : -1;
        points[2 * l + 1] = weights[l] > 0 ? (float)at[1] : -1;
    }
}

/* The network reads input[0] * pixel + input[1]. */
static const float inputs[SCP_INPUTS][2] = {[SCP_INPUT_UNIT] = {1, 0},
                                            [SCP_INPUT_CENTRED] = {2, -1}};

static enum scp_status sample_item(void *context, size_t item, size_t worker) {
    const struct work *w = context;
    const struct scp_view_options *o = &w->options->view;
    const struct scp_pool *pool = w->pool;
    const float *input = inputs[w->options->inputs];
    const size_t channels = w->batch->channels, landmarks = w->labels->landmarks;
    const size_t pixels = pool->width * pool->height, source = w->batch->sources[item];
    struct view view;
    (void)worker;
    view_draw(&view, o->strength[0], pool->width, pool->height, 0, 0,
              w->options->train.seed ^ REFINE_KEY, (w->step * w->batch->items + item) * STREAMS);
    float *slab = scp_alloc(2 * pixels + 2 * pool->width, sizeof *slab);
    if (!slab) return SCP_ENOMEM;
    float *plane = slab + pixels + 2 * pool->width, *out = w->batch->images;
    out += item * pixels * channels;
    view_warp(plane, slab, &view, pool->images + source * pixels, pool->height, pool->width,
              o->interpolation == SCP_INTERPOLATION_CUBIC, o->border == SCP_BORDER_REPLICATE);
    view_photo(plane, slab, &view);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            out[i * channels + c] = input[0] * plane[i] + input[1];
    scp_free(slab);
    place(w->batch->points + item * landmarks * 2, w->batch->weights + item * landmarks, w, source,
          &view);
    return SCP_OK;
}

enum scp_status scp_refine_sample(struct scp_refine_batch *batch, const struct scp_pool *pool,
                                  const struct scp_labels *labels,
                                  const struct scp_refine_options *o, uint64_t step,
                                  const struct scp_control *control) {
    enum scp_status status = scp_refine_check(o, pool, labels, control);
    if (status != SCP_OK) return status;
    if (batch->items != scp_refine_items(o, labels))
        return scp_invalid(control, "items", SCP_WHOLE, "must be labelled + pseudo");
    const size_t labelled = labelled_of(o, labels), pseudo = pseudo_of(o, labels);
    uint32_t *sources = batch->sources;
    for (size_t i = 0; i < labelled; i++)
        sources[i] = labels->labelled[(step * labelled + i) % labels->n_labelled];
    if (pseudo) {
        uint32_t *order = scp_alloc(labels->n_pseudo, sizeof *order);
        if (!order) return SCP_ENOMEM;
        shuffled_passes(sources + labelled, order, labels->n_pseudo, pseudo, o->train.seed, step);
        scp_free(order);
    }
    for (size_t i = labelled; i < labelled + pseudo; i++) sources[i] = labels->pseudo[sources[i]];
    for (size_t i = 0; i < batch->items; i++) /* the caller's rows may have changed meanwhile */
        if (sources[i] >= pool->count)
            return scp_invalid(control, i < labelled ? "labelled_rows" : "pseudo_rows", SCP_WHOLE,
                               "must be images of the pool");
    struct work work = {batch, pool, labels, o, step};
    return scp_parallel(batch->items, sample_item, &work, control);
}
