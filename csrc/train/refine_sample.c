#include <math.h>

#include "scp/alloc.h"
#include "scp/refine.h"
#include "view.h"

#define REFINE_KEY 0x5343505f5245464eu
#define STREAMS 4 /* of an item: 0 its view and 1 its noise */

enum scp_status scp_refine_check(const struct scp_refine_options *o, const struct scp_pool *pool,
                                 const struct scp_labels *labels) {
    size_t numbers, pixels;
    const size_t batch = o->labelled + o->pseudo;
    if (pool->count == 0 || pool->count > UINT32_MAX || pool->height == 0 || pool->width == 0)
        return SCP_EINVAL;
    if (pool->height > 1u << 15 || pool->width > 1u << 15) return SCP_EINVAL;
    if (labels->landmarks == 0 || labels->landmarks > SCP_REFINE_MAX_LANDMARKS) return SCP_EINVAL;
    if (o->labelled > 1u << 15 || o->pseudo > 1u << 15 || batch == 0) return SCP_EINVAL;
    if ((o->labelled && !labels->n_labelled) || (o->pseudo && !labels->n_pseudo)) return SCP_EINVAL;
    if (!(o->radius > 0 && o->radius <= 1 << 15)) return SCP_EINVAL;
    if (!(o->focal >= 0 && o->focal < INFINITY)) return SCP_EINVAL;
    if (!isfinite(o->scale) || !isfinite(o->shift)) return SCP_EINVAL;
    for (int t = 0; t < SCP_TRANSFORMS; t++)
        if (!(o->strength[t] >= 0 && o->strength[t] <= 180)) return SCP_EINVAL;
    for (size_t i = 0; i < labels->n_labelled; i++)
        if (labels->labelled[i] >= pool->count) return SCP_EINVAL;
    for (size_t i = 0; i < labels->n_pseudo; i++)
        if (labels->pseudo[i] >= pool->count) return SCP_EINVAL;
    if (scp_size_mul(pool->height, pool->width, &pixels) ||
        scp_size_mul(pixels, pool->count, &numbers) || scp_size_mul(numbers, 4, &numbers) ||
        scp_size_mul(pixels, batch, &numbers) || scp_size_mul(numbers, 16, &numbers) ||
        scp_size_mul(pool->count, labels->landmarks, &numbers))
        return SCP_ENOMEM;
    for (size_t i = 0; i < numbers; i++) {
        if (!(labels->weights[i] >= 0 && labels->weights[i] <= 1)) return SCP_EINVAL;
        if (labels->weights[i] > 0 &&
            !(isfinite(labels->points[2 * i]) && isfinite(labels->points[2 * i + 1])))
            return SCP_EINVAL;
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

static enum scp_status sample_item(void *context, size_t item, size_t worker) {
    const struct work *w = context;
    const struct scp_refine_options *o = w->options;
    const struct scp_pool *pool = w->pool;
    const size_t channels = w->batch->channels, landmarks = w->labels->landmarks;
    const size_t pixels = pool->width * pool->height, source = w->batch->sources[item];
    struct view view;
    (void)worker;
    view_draw(&view, o->strength, pool->width, pool->height, 0, 0, o->seed ^ REFINE_KEY,
              (w->step * (o->labelled + o->pseudo) + item) * STREAMS);
    float *slab = scp_alloc(2 * pixels + 2 * pool->width, sizeof *slab);
    if (!slab) return SCP_ENOMEM;
    float *plane = slab + pixels + 2 * pool->width, *out = w->batch->images;
    out += item * pixels * channels;
    view_warp(plane, slab, &view, pool->images + source * pixels, pool->height, pool->width,
              o->cubic, o->replicate);
    view_photo(plane, slab, &view);
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            out[i * channels + c] = o->scale * plane[i] + o->shift;
    scp_free(slab);
    place(w->batch->points + item * landmarks * 2, w->batch->weights + item * landmarks, w, source,
          &view);
    return SCP_OK;
}

enum scp_status scp_refine_sample(struct scp_refine_batch *batch, const struct scp_pool *pool,
                                  const struct scp_labels *labels,
                                  const struct scp_refine_options *o, uint64_t step,
                                  const struct scp_control *control) {
    enum scp_status status = scp_refine_check(o, pool, labels);
    if (status != SCP_OK) return status;
    uint32_t *sources = batch->sources;
    for (size_t i = 0; i < o->labelled; i++)
        sources[i] = labels->labelled[(step * o->labelled + i) % labels->n_labelled];
    if (o->pseudo) {
        uint32_t *order = scp_alloc(labels->n_pseudo, sizeof *order);
        if (!order) return SCP_ENOMEM;
        shuffled_passes(sources + o->labelled, order, labels->n_pseudo, o->pseudo, o->seed, step);
        scp_free(order);
    }
    for (size_t i = o->labelled; i < o->labelled + o->pseudo; i++)
        sources[i] = labels->pseudo[sources[i]];
    struct work work = {batch, pool, labels, o, step};
    return scp_parallel(o->labelled + o->pseudo, sample_item, &work, control);
}
