/* Losses and the gradient of refinement: every task is a row of one item's map. The discs are found
 * first, as spans of pixels in each row. */
#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/refine.h"

/* The pixels of a disc in one row of the map: first .. end - 1. */
struct span {
    uint16_t first, end;
};

struct work {
    double *sums;       /* [items][rows][SCP_REFINE_LOSSES] */
    struct span *spans; /* [items][rows][landmarks] */
    const struct scp_output *map;
    const struct scp_refine_batch *batch;
    double factor, radius;
    double pixel, disc; /* d(loss) / d(focal or offset term of one pixel) for a weight of 1 */
};

static double centre(const struct work *w, size_t pixel) {
    return ((double)pixel + 0.5) * w->factor - 0.5;
}

static int inside(const struct work *w, double dx, double dy) {
    return dx * dx + dy * dy < w->radius * w->radius;
}

/* Spans of item b's landmark l; returns the pixels in the disc. */
static size_t disc(struct work *w, size_t b, size_t l) {
    const size_t landmarks = w->batch->landmarks;
    const float *point = w->batch->points + 2 * (b * landmarks + l);
    const double x = (double)point[0], y = (double)point[1], extent = w->radius / w->factor + 1;
    const double column = (x + 0.5) / w->factor - 0.5, row = (y + 0.5) / w->factor - 0.5;
    const size_t height = w->map->height, width = w->map->width;
    struct span *spans = w->spans + b * height * landmarks + l;
    size_t count = 0;
    for (size_t j = 0; j < height; j++) spans[j * landmarks] = (struct span){0, 0};
    if (!(column + extent >= 0 && column - extent < (double)width && row + extent >= 0 &&
          row - extent < (double)height))
        return 0;
    const size_t left = column > extent ? (size_t)(column - extent) : 0;
    for (size_t j = row > extent ? (size_t)(row - extent) : 0;
         j < height && (double)j <= row + extent; j++) {
        struct span *s = spans + j * landmarks;
        for (size_t i = left; i < width && (double)i <= column + extent; i++) {
            if (!inside(w, x - centre(w, i), y - centre(w, j))) continue;
            if (s->end == 0) s->first = (uint16_t)i;
            s->end = (uint16_t)(i + 1);
        }
        count += (size_t)(s->end - s->first);
    }
    return count;
}

/* The focal term at a logit, and its derivative: sigmoid and logarithm without overflow. */
static float focal(float *derivative, float logit, int positive) {
    const float z = positive ? -logit : logit; /* by symmetry: as if the target were 0 */
    const float e = expf(-fabsf(z)), log_other = (z > 0 ? z : 0) + log1pf(e); /* -log(1 - p) */
    const float p = (z > 0 ? 1 : e) / (1 + e);
    const float slope = p * ((1 - p) * log_other + p);
    *derivative = positive ? -slope : slope;
    return p * log_other;
}

static float sign(float x) {
    return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f;
}

static enum scp_status map_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_output *m = w->map;
    const size_t item = task / m->height, row = task % m->height;
    const size_t landmarks = w->batch->landmarks;
    const struct span *spans = w->spans + task * landmarks;
    const float *values = m->values + task * m->width * m->stride;
    float *gradient = m->gradient + task * m->width * m->stride;
    double sums[SCP_REFINE_LOSSES] = {0};
    (void)worker;
    memset(gradient, 0, m->width * m->stride * sizeof *gradient);
    for (size_t l = 0; l < landmarks; l++) {
        const float weight = w->batch->weights[item * landmarks + l];
        const float *point = w->batch->points + 2 * (item * landmarks + l);
        const float of_heat = (float)(w->pixel * (double)weight);
        const float of_offset = (float)(w->disc * (double)weight);
        double heat = 0, x = 0, y = 0;
        if (!(weight > 0)) continue;
        for (size_t i = 0; i < m->width; i++) {
            const int positive = i >= spans[l].first && i < spans[l].end;
            float derivative;
            heat += (double)focal(&derivative, values[i * m->stride + l], positive);
            gradient[i * m->stride + l] = of_heat * derivative;
        }
        for (size_t i = spans[l].first; i < spans[l].end; i++) {
            const float *v = values + i * m->stride + landmarks + l;
            float *g = gradient + i * m->stride + landmarks + l;
            const float dx = v[0] - (float)(((double)point[0] - centre(w, i)) / w->radius);
            const float dy =
                v[landmarks] - (float)(((double)point[1] - centre(w, row)) / w->radius);
            x += (double)fabsf(dx);
            y += (double)fabsf(dy);
            g[0] = of_offset * sign(dx);
            g[landmarks] = of_offset * sign(dy);
        }
        sums[0] += (double)weight * heat;
        sums[1] += (double)weight * x;
        sums[2] += (double)weight * y;
    }
    memcpy(w->sums + task * SCP_REFINE_LOSSES, sums, sizeof sums);
    return SCP_OK;
}

static enum scp_status check(const struct scp_output *map, const struct scp_refine_batch *b,
                             const struct scp_control *control) {
    const size_t height = b->height, width = b->width;
    if (b->items == 0 || b->landmarks == 0 || b->landmarks > SCP_REFINE_MAX_LANDMARKS)
        return scp_invalid(control, "points", SCP_SHAPE, "must be of 1 to 1024 landmarks");
    if (map->height == 0 || map->width == 0 || map->channels < 3 * b->landmarks)
        return scp_invalid(control, "map", SCP_SHAPE, "must have 3 channels per landmark");
    if (height > 1u << 15 || width > 1u << 15 || height % map->height || width % map->width ||
        height / map->height != width / map->width)
        return scp_invalid(control, "map", SCP_SHAPE, "must be smaller by one whole factor");
    for (size_t i = 0; i < b->items * b->landmarks; i++)
        if (!(b->weights[i] >= 0 && b->weights[i] <= 1))
            return scp_invalid(control, "weights", i, "must be 0 to 1");
        else if (b->weights[i] > 0 &&
                 !(isfinite(b->points[2 * i]) && isfinite(b->points[2 * i + 1])))
            return scp_invalid(control, "points", 2 * i, "must be finite where there is a weight");
    return SCP_OK;
}

/* Spans of all discs, and what a pixel of a map and of a disc weighs. */
static void find_discs(struct work *w, float focal_weight) {
    const struct scp_refine_batch *batch = w->batch;
    double weight = 0, covered = 0;
    for (size_t b = 0; b < batch->items; b++)
        for (size_t l = 0; l < batch->landmarks; l++) {
            const double one = (double)batch->weights[b * batch->landmarks + l];
            if (!(one > 0)) continue;
            weight += one;
            covered += one * (double)disc(w, b, l);
        }
    const double pixels = weight * (double)(w->map->height * w->map->width);
    w->pixel = weight > 0 ? (double)focal_weight / pixels : 0;
    w->disc = covered > 0 ? 1 / covered : 0;
}

enum scp_status scp_refine_objective(double losses[SCP_REFINE_LOSSES], const struct scp_output *map,
                                     const struct scp_refine_batch *batch, float radius,
                                     float focal_weight, const struct scp_control *control) {
    struct work w = {.map = map, .batch = batch};
    enum scp_status status = check(map, batch, control);
    if (status != SCP_OK) return status;
    if (!(radius > 0 && radius <= 1 << 15))
        return scp_invalid(control, "radius", SCP_WHOLE, "must be above 0, at most 32768");
    if (!(focal_weight >= 0 && focal_weight < INFINITY))
        return scp_invalid(control, "focal", SCP_WHOLE, "must be at least 0, finite");
    const size_t tasks = batch->items * map->height;
    status = SCP_ENOMEM;
    w.factor = (double)(batch->height / map->height);
    w.radius = (double)radius;
    w.sums = scp_alloc(tasks * SCP_REFINE_LOSSES, sizeof *w.sums);
    w.spans = scp_calloc(tasks * batch->landmarks, sizeof *w.spans);
    if (!w.sums || !w.spans) goto done;
    find_discs(&w, focal_weight);
    status = scp_parallel(tasks, map_row, &w, control);
    if (status != SCP_OK) goto done;
    double sums[SCP_REFINE_LOSSES] = {0};
    for (size_t i = 0; i < tasks * SCP_REFINE_LOSSES; i++) sums[i % SCP_REFINE_LOSSES] += w.sums[i];
    losses[0] = w.pixel * sums[0];
    losses[1] = w.disc * sums[1];
    losses[2] = w.disc * sums[2];
done:
    scp_free(w.sums);
    scp_free(w.spans);
    return status;
}
