#include "objective.h"

#include <math.h>
#include <string.h>

#include "../kernels/kernels.h"
#include "scp/alloc.h"

struct work {
    double *sums; /* [levels][batch] */
    const struct scp_output *image, *crop;
    size_t levels, batch, points, height, width, side;
    const int32_t *crop_points;
    const float *image_points;
    const struct scp_objective_options *options;
    const struct objective *objective;
    const struct scp_objective_kernels *kernels;
    double pairs; /* of the whole batch */
};

/* One item at one level: its slices of the maps. */
struct part {
    const float *cells, *queries;
    float *cell_gradients, *query_gradients;
    size_t height, width, stride, query_stride, channels;
    float *norms, *pulls, *cosines, *weights, *back; /* [cells] each */
    float *unit, *sum;                               /* [channels] */
    float scale; /* d(total)/d(logit of one pair) for a probability of 1 */
};

/* What a pair adds: its loss; its gradients go to the maps. */
static double pair(const struct work *w, const struct part *p, size_t level, size_t query,
                   size_t row, size_t column) {
    const struct scp_objective_options *o = w->options;
    const struct scp_objective_kernels *kernels = w->kernels;
    const float *t = p->queries + query * p->query_stride;
    const float inverse_temperature = 1 / o->temperature;
    struct window r;
    float norm;
    w->objective->window(&r, o, level, p->height, p->width, row, column);
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
            cosine[i] *= norm / (norms[i] * norm + o->epsilon);
            logit[i] = cosine[i] * inverse_temperature;
        }
        if (w->objective->bias) w->objective->bias(logit, o, &r, y, row, column);
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
        float *pulls = p->pulls + first;
        for (size_t i = 0; i < wide; i++) weight[i] *= scale;
        if (y == row) weight[column - r.left] -= p->scale;
        float part = 0;
        for (size_t i = 0; i < wide; i++) {
            const float n = norms[i];
            back[i] = weight[i] / (n * norm + o->epsilon);
            weight[i] = back[i] * norm;
            pulls[i] += n > 0 ? weight[i] * cosine[i] / n : 0;
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

/* Tasks go from the finest level, the dearest, to the coarsest. */
static enum scp_status item_level(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t level = w->levels - 1 - task / w->batch, item = task % w->batch;
    const struct scp_output *image = &w->image[level], *crop = &w->crop[level];
    const size_t cells = image->height * image->width, queries = crop->height * crop->width;
    const size_t channels = (image->channels + 15) / 16 * 16;
    (void)worker;
    float *slab = scp_alloc(5 * cells + 2 * channels, sizeof *slab);
    if (!slab) return SCP_ENOMEM;
    const struct part p = {
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
        .pulls = slab + cells,
        .cosines = slab + 2 * cells,
        .weights = slab + 3 * cells,
        .back = slab + 4 * cells,
        .unit = slab + 5 * cells,
        .sum = slab + 5 * cells + channels,
        .scale = w->pairs > 0 ? (float)((double)w->options->weights[level] /
                                        ((double)w->options->temperature * w->pairs))
                              : 0,
    };
    memset(p.cell_gradients, 0, cells * p.stride * sizeof(float));
    memset(p.query_gradients, 0, queries * p.query_stride * sizeof(float));
    memset(p.pulls, 0, cells * sizeof(float));
    w->kernels->norms(p.norms, p.cells, p.stride, cells, channels);
    double sum = 0;
    for (size_t k = 0; k < w->points; k++) {
        const int32_t *c = w->crop_points + 2 * (item * w->points + k);
        const float *place = w->image_points + 2 * (item * w->points + k);
        if (c[0] < 0) continue;
        const size_t query = (size_t)c[1] * crop->height / w->side * crop->width +
                             (size_t)c[0] * crop->width / w->side;
        const size_t x = (size_t)(place[0] + 0.5f), y = (size_t)(place[1] + 0.5f);
        const size_t row = (y < w->height ? y : w->height - 1) * p.height / w->height;
        const size_t column = (x < w->width ? x : w->width - 1) * p.width / w->width;
        sum += pair(w, &p, level, query, row, column);
    }
    w->kernels->project(p.cell_gradients, p.cells, p.pulls, p.stride, cells, channels);
    w->sums[level * w->batch + item] = sum;
    scp_free(slab);
    return SCP_OK;
}

static enum scp_status check(const struct work *w) {
    const struct scp_objective_options *o = w->options;
    if (w->levels < 1 || w->levels > SCP_TRAIN_MAX_LEVELS || w->batch == 0) return SCP_EINVAL;
    if ((unsigned)o->kind >= SCP_OBJECTIVES || o->window == 0) return SCP_EINVAL;
    if (!(o->temperature > 0 && o->temperature < INFINITY)) return SCP_EINVAL;
    if (!(o->epsilon >= 1e-20f && o->epsilon < INFINITY)) return SCP_EINVAL;
    if (!(o->margin >= 0 && o->margin < INFINITY && o->limit >= 0 && o->limit < INFINITY))
        return SCP_EINVAL;
    for (size_t d = 0; d < w->levels; d++) {
        const struct scp_output *i = &w->image[d], *c = &w->crop[d];
        if (!(o->weights[d] >= 0 && o->weights[d] < INFINITY)) return SCP_EINVAL;
        if (i->channels != c->channels || i->stride % 16 || c->stride % 16) return SCP_EINVAL;
        if (i->height > w->height || i->width > w->width) return SCP_EINVAL;
        if (c->height > w->side || c->width > w->side) return SCP_EINVAL;
    }
    return SCP_OK;
}

enum scp_status scp_objective(double *losses, const struct scp_output *image,
                              const struct scp_output *crop, size_t levels, size_t batch,
                              const int32_t *crop_points, const float *image_points, size_t points,
                              size_t height, size_t width, size_t side,
                              const struct scp_objective_options *options,
                              const struct scp_control *control) {
    static const struct objective *const kinds[SCP_OBJECTIVES] = {&objective_windowed,
                                                                  &objective_plain};
    struct work w = {.image = image,
                     .crop = crop,
                     .levels = levels,
                     .batch = batch,
                     .points = points,
                     .height = height,
                     .width = width,
                     .side = side,
                     .crop_points = crop_points,
                     .image_points = image_points,
                     .options = options,
                     .kernels = &scp_kernels()->objective};
    enum scp_status status = check(&w);
    if (status != SCP_OK) return status;
    w.objective = kinds[options->kind];
    for (size_t k = 0; k < batch * points; k++) {
        const int32_t x = crop_points[2 * k], y = crop_points[2 * k + 1];
        if (x < 0) continue;
        if (y < 0 || (size_t)x >= side || (size_t)y >= side) return SCP_EINVAL;
        if (!(image_points[2 * k] >= -0.5f && image_points[2 * k] <= (float)width - 0.5f &&
              image_points[2 * k + 1] >= -0.5f && image_points[2 * k + 1] <= (float)height - 0.5f))
            return SCP_EINVAL;
        w.pairs += 1;
    }
    w.sums = scp_alloc(levels * batch, sizeof *w.sums);
    if (!w.sums) return SCP_ENOMEM;
    status = scp_parallel(levels * batch, item_level, &w, control);
    if (status == SCP_OK)
        for (size_t d = 0; d < levels; d++) {
            double sum = 0;
            for (size_t b = 0; b < batch; b++) sum += w.sums[d * batch + b];
            losses[d] = w.pairs > 0 ? sum / w.pairs : 0;
        }
    scp_free(w.sums);
    return status;
}
