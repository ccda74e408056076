/* Losses and gradients of both views: every task is one item at one level, and adds up the pairs of
 * that item in their order. What differs between objectives is in windowed.c and plain.c. */
#include "contrast_objective.h"

#include <math.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"

struct work {
    double *sums; /* [levels][items] */
    const struct scp_output *image, *crop;
    size_t levels;
    const struct scp_batch *batch;
    const struct scp_contrast_options *options;
    const struct objective *objective;
    const struct scp_objective_kernels *kernels;
    float temperature, epsilon;
    double pairs; /* of the whole batch */
};

/* One item at one level: its slices of the maps. */
struct part {
    const float *cells, *queries;
    float *cell_gradients, *query_gradients;
    size_t height, width, stride, query_stride, channels;
    float *norms, *radial, *cosines, *weights, *back; /* [cells] each */
    float *unit, *sum;                                /* [channels] */
    float scale; /* d(total)/d(logit of one pair) for a probability of 1 */
};

/* What a pair adds: its loss; its gradients go to the maps. */
static double pair(const struct work *w, const struct part *p, size_t level, size_t query,
                   size_t row, size_t column) {
    const struct scp_objective_kernels *kernels = w->kernels;
    const float *t = p->queries + query * p->query_stride;
    const float inverse_temperature = 1 / w->temperature;
    struct window r;
    float norm;
    w->objective->window(&r, w->options, level, p->height, p->width, row, column);
    const size_t wide = r.right - r.left, positive = (row - r.top) * wide + column - r.left;

    kernels->norms(&norm, t, p->query_stride, 1, p->channels);
    const float inverse_norm = norm > 0 ? 1 / norm : 0;
    for (size_t c = 0; c < p->channels; c++) p->unit[c] = t[c] * inverse_norm;
    memset(p->sum, 0, p->channels * sizeof *p->sum);

    float largest = -INFINITY;
    for (size_t y = r.top; y < r.bottom; y++) {
        float *cosine = p->cosines + (y - r.top) * wide, *logit = p->weights + (y - r.top) * wide;
        const size_t first = y * p->width + r.left;
        kernels->dots(cosine, p->unit, p->cells + first * p->stride, p->stride, wide, p->channels);
        const float *norms = p->norms + first;
        for (size_t i = 0; i < wide; i++) {
            cosine[i] *= norm / (norms[i] * norm + w->epsilon);
            logit[i] = cosine[i] * inverse_temperature;
        }
        if (w->objective->bias) w->objective->bias(logit, w->options, &r, y, row, column);
        for (size_t i = 0; i < wide; i++) largest = logit[i] > largest ? logit[i] : largest;
    }
    const size_t count = (r.bottom - r.top) * wide;
    const double positive_logit = (double)p->weights[positive];
    double total = 0;
    for (size_t i = 0; i < count; i++) {
        p->weights[i] = expf(p->weights[i] - largest);
        total += (double)p->weights[i];
    }

    const float scale = (float)((double)p->scale / total);
    double along = 0; /* the part of the query's gradient along the query */
    for (size_t y = r.top; y < r.bottom; y++) {
        const size_t first = y * p->width + r.left, at = (y - r.top) * wide;
        float *cosine = p->cosines + at, *weight = p->weights + at, *back = p->back + at;
        const float *norms = p->norms + first;
        float *radial = p->radial + first;
        for (size_t i = 0; i < wide; i++) weight[i] *= scale;
        if (y == row) weight[column - r.left] -= p->scale;
        float part = 0;
        for (size_t i = 0; i < wide; i++) {
            const float n = norms[i];
            back[i] = weight[i] / (n * norm + w->epsilon);
            weight[i] = back[i] * norm;
            radial[i] += n > 0 ? weight[i] * cosine[i] / n : 0;
            part += back[i] * n * cosine[i];
        }
        along += (double)part;
        kernels->backward(p->cell_gradients + first * p->stride, p->sum, p->unit,
                          p->cells + first * p->stride, weight, back, p->stride, wide, p->channels);
    }
    float *gradient = p->query_gradients + query * p->query_stride;
    for (size_t c = 0; c < p->channels; c++) gradient[c] += p->sum[c] - (float)along * p->unit[c];
    return (double)largest + log(total) - positive_logit;
}

/* The level's slices of one item, with scratch of 5 * cells + 2 * channels floats in slab. */
static struct part part_of(const struct work *w, float *slab, size_t level, size_t item) {
    const struct scp_output *image = &w->image[level], *crop = &w->crop[level];
    const size_t cells = image->height * image->width, queries = crop->height * crop->width;
    const size_t channels = (image->channels + 15) / 16 * 16;
    const struct scp_reals *weights = &w->options->level_weights;
    const float weight = weights->count ? (float)weights->value[level] : 1;
    return (struct part){
        .cells = image->values + item * cells * image->stride,
        .queries = crop->values + item * queries * crop->stride,
        .cell_gradients = image->gradient + item * cells * image->stride,
        .query_gradients = crop->gradient + item * queries * crop->stride,
        .height = image->height,
        .width = image->width,
        .stride = image->stride,
        .query_stride = crop->stride,
        .channels = channels,
        .norms = slab,
        .radial = slab + cells,
        .cosines = slab + 2 * cells,
        .weights = slab + 3 * cells,
        .back = slab + 4 * cells,
        .unit = slab + 5 * cells,
        .sum = slab + 5 * cells + channels,
        .scale = w->pairs > 0 ? (float)((double)weight / ((double)w->temperature * w->pairs)) : 0,
    };
}

int pair_cells(size_t image_cell[2], size_t crop_cell[2], const struct scp_batch *b, size_t k,
               const struct scp_output *image, const struct scp_output *crop) {
    const int32_t *c = b->crop_points + 2 * k;
    const float *place = b->image_points + 2 * k;
    if (c[0] < 0) return 0;
    const size_t x = (size_t)(place[0] + 0.5f), y = (size_t)(place[1] + 0.5f);
    image_cell[0] = (x < b->width ? x : b->width - 1) * image->width / b->width;
    image_cell[1] = (y < b->height ? y : b->height - 1) * image->height / b->height;
    crop_cell[0] = (size_t)c[0] * crop->width / b->side;
    crop_cell[1] = (size_t)c[1] * crop->height / b->side;
    return 1;
}

/* Tasks go from the finest level, the dearest, to the coarsest. */
static enum scp_status item_level(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_batch *b = w->batch;
    const size_t level = w->levels - 1 - task / b->items, item = task % b->items;
    const struct scp_output *image = &w->image[level], *crop = &w->crop[level];
    const size_t cells = image->height * image->width, queries = crop->height * crop->width;
    const size_t channels = (image->channels + 15) / 16 * 16;
    (void)worker;
    float *slab = scp_alloc(5 * cells + 2 * channels, sizeof *slab);
    if (!slab) return SCP_ENOMEM;
    const struct part p = part_of(w, slab, level, item);
    memset(p.cell_gradients, 0, cells * p.stride * sizeof(float));
    memset(p.query_gradients, 0, queries * p.query_stride * sizeof(float));
    memset(p.radial, 0, cells * sizeof(float));
    w->kernels->norms(p.norms, p.cells, p.stride, cells, channels);
    double sum = 0;
    for (size_t k = item * b->points; k < (item + 1) * b->points; k++) {
        size_t cell[2], query[2];
        if (!pair_cells(cell, query, b, k, image, crop)) continue;
        sum += pair(w, &p, level, query[1] * crop->width + query[0], cell[1], cell[0]);
    }
    w->kernels->project(p.cell_gradients, p.cells, p.radial, p.stride, cells, channels);
    w->sums[level * b->items + item] = sum;
    scp_free(slab);
    return SCP_OK;
}

static enum scp_status check_maps(const struct work *w, const struct scp_control *control) {
    const struct scp_batch *b = w->batch;
    const size_t weights = w->options->level_weights.count;
    if (w->levels < 1 || w->levels > SCP_MAX_LEVELS)
        return scp_invalid(control, "levels", SCP_WHOLE, "must be 1 to 8");
    if (b->items == 0) return scp_invalid(control, "items", SCP_WHOLE, "must be above 0");
    if (weights != 0 && weights != w->levels)
        return scp_invalid(control, "level_weights", SCP_WHOLE, "must be one number per level");
    for (size_t d = 0; d < w->levels; d++) {
        const struct scp_output *i = &w->image[d], *c = &w->crop[d];
        if (i->channels != c->channels || i->stride % 16 || c->stride % 16)
            return scp_invalid(control, "level", d, "must have equal channels, padded to 16");
        if (!i->height || !i->width || !c->height || !c->width || !i->channels)
            return scp_invalid(control, "level", d, "must not be empty");
        if (i->height > b->height || i->width > b->width || c->height > b->side ||
            c->width > b->side)
            return scp_invalid(control, "level", d, "must not be larger than the view");
    }
    return SCP_OK;
}

/* Counts the pairs that are not marked as absent. */
static enum scp_status check_pairs(double *pairs, const struct scp_batch *b,
                                   const struct scp_control *control) {
    *pairs = 0;
    for (size_t k = 0; k < b->items * b->points; k++) {
        const int32_t x = b->crop_points[2 * k], y = b->crop_points[2 * k + 1];
        const float *place = b->image_points + 2 * k;
        if (x < 0) continue;
        if (y < 0 || (size_t)x >= b->side || (size_t)y >= b->side)
            return scp_invalid(control, "crop_points", 2 * k, "must lie in the crop");
        if (!(place[0] >= -0.5f && place[0] <= (float)b->width - 0.5f && place[1] >= -0.5f &&
              place[1] <= (float)b->height - 0.5f))
            return scp_invalid(control, "image_points", 2 * k, "must lie in the image");
        *pairs += 1;
    }
    return SCP_OK;
}

enum scp_status scp_contrast_objective(double *losses, const struct scp_output *image,
                                       const struct scp_output *crop, size_t levels,
                                       const struct scp_batch *batch,
                                       const struct scp_contrast_options *options,
                                       const struct scp_control *control) {
    static const struct objective *const kinds[SCP_NEGATIVES] = {&objective_windowed,
                                                                 &objective_plain};
    struct work w = {.image = image,
                     .crop = crop,
                     .levels = levels,
                     .batch = batch,
                     .options = options,
                     .kernels = &scp_kernels()->objective,
                     .temperature = (float)options->temperature,
                     .epsilon = (float)options->epsilon};
    enum scp_status status = scp_options_check(&scp_contrast_table, options, control);
    if (status == SCP_OK) status = check_maps(&w, control);
    if (status == SCP_OK) status = check_pairs(&w.pairs, batch, control);
    if (status != SCP_OK) return status;
    w.objective = kinds[options->negatives];
    w.sums = scp_alloc(levels * batch->items, sizeof *w.sums);
    if (!w.sums) return SCP_ENOMEM;
    status = scp_parallel(levels * batch->items, item_level, &w, control);
    if (status == SCP_OK)
        for (size_t d = 0; d < levels; d++) {
            double sum = 0;
            for (size_t b = 0; b < batch->items; b++) sum += w.sums[d * batch->items + b];
            losses[d] = w.pairs > 0 ? sum / w.pairs : 0;
        }
    scp_free(w.sums);
    return status;
}
