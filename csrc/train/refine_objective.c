#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/refine.h"

/* The pixels of a disc in one row of the map: first .. end - 1. */
struct span {
    uint16_t first, end;
};

struct work {
    double *sums;       /* [batch][rows][SCP_REFINE_LOSSES] */
    struct span *spans; /* [batch][rows][landmarks] */
    const struct scp_output *map;
    const float *points, *weights;
    size_t landmarks;
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
    const float *point = w->points + 2 * (b * w->landmarks + l);
    const double x = (double)point[0], y = (double)point[1], reach = w->radius / w->factor + 1;
    const double column = (x + 0.5) / w->factor - 0.5, row = (y + 0.5) / w->factor - 0.5;
    const size_t height = w->map->height, width = w->map->width;
    struct span *spans = w->spans + b * height * w->landmarks + l;
    size_t count = 0;
    for (size_t j = 0; j < height; j++) spans[j * w->landmarks] = (struct span){0, 0};
    if (!(column + reach >= 0 && column - reach < (double)width && row + reach >= 0 &&
          row - reach < (double)height))
        return 0;
    const size_t left = column > reach ? (size_t)(column - reach) : 0;
    for (size_t j = row > reach ? (size_t)(row - reach) : 0; j < height && (double)j <= row + reach;
         j++) {
        struct span *s = spans + j * w->landmarks;
        for (size_t i = left; i < width && (double)i <= column + reach; i++) {
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
    const size_t item = task / m->height, row = task % m->height, landmarks = w->landmarks;
    const struct span *spans = w->spans + task * landmarks;
    const float *values = m->values + task * m->width * m->stride;
    float *gradient = m->gradient + task * m->width * m->stride;
    double sums[SCP_REFINE_LOSSES] = {0};
    (void)worker;
    memset(gradient, 0, m->width * m->stride * sizeof *gradient);
    for (size_t l = 0; l < landmarks; l++) {
        const float weight = w->weights[item * landmarks + l];
        const float *point = w->points + 2 * (item * landmarks + l);
        const float pull = (float)(w->pixel * (double)weight);
        const float push = (float)(w->disc * (double)weight);
        double heat = 0, x = 0, y = 0;
        if (!(weight > 0)) continue;
        for (size_t i = 0; i < m->width; i++) {
            const int positive = i >= spans[l].first && i < spans[l].end;
            float derivative;
            heat += (double)focal(&derivative, values[i * m->stride + l], positive);
            gradient[i * m->stride + l] = pull * derivative;
        }
        for (size_t i = spans[l].first; i < spans[l].end; i++) {
            const float *v = values + i * m->stride + landmarks + l;
            float *g = gradient + i * m->stride + landmarks + l;
            const float dx = v[0] - (float)(((double)point[0] - centre(w, i)) / w->radius);
            const float dy =
                v[landmarks] - (float)(((double)point[1] - centre(w, row)) / w->radius);
            x += (double)fabsf(dx);
            y += (double)fabsf(dy);
            g[0] = push * sign(dx);
            g[landmarks] = push * sign(dy);
        }
        sums[0] += (double)weight * heat;
        sums[1] += (double)weight * x;
        sums[2] += (double)weight * y;
    }
    memcpy(w->sums + task * SCP_REFINE_LOSSES, sums, sizeof sums);
    return SCP_OK;
}

enum scp_status scp_refine_objective(double losses[SCP_REFINE_LOSSES], const struct scp_output *map,
                                     const float *points, const float *weights, size_t batch,
                                     size_t landmarks, size_t height, size_t width, float radius,
                                     float focal_weight, const struct scp_control *control) {
    struct work w = {.map = map, .points = points, .weights = weights, .landmarks = landmarks};
    if (batch == 0 || landmarks == 0 || landmarks > SCP_REFINE_MAX_LANDMARKS) return SCP_EINVAL;
    if (map->height == 0 || map->width == 0 || map->channels < 3 * landmarks) return SCP_EINVAL;
    if (height > 1u << 15 || width > 1u << 15 || height % map->height || width % map->width ||
        height / map->height != width / map->width)
        return SCP_EINVAL;
    if (!(radius > 0 && radius <= 1 << 15 && focal_weight >= 0 && focal_weight < INFINITY))
        return SCP_EINVAL;
    for (size_t i = 0; i < batch * landmarks; i++)
        if (!(weights[i] >= 0 && weights[i] <= 1) ||
            (weights[i] > 0 && !(isfinite(points[2 * i]) && isfinite(points[2 * i + 1]))))
            return SCP_EINVAL;
    const size_t tasks = batch * map->height;
    enum scp_status status = SCP_ENOMEM;
    w.factor = (double)(height / map->height);
    w.radius = (double)radius;
    w.sums = scp_alloc(tasks * SCP_REFINE_LOSSES, sizeof *w.sums);
    w.spans = scp_calloc(tasks * landmarks, sizeof *w.spans);
    if (!w.sums || !w.spans) goto done;

    double weight = 0, covered = 0;
    for (size_t b = 0; b < batch; b++)
        for (size_t l = 0; l < landmarks; l++) {
            const double one = (double)weights[b * landmarks + l];
            if (!(one > 0)) continue;
            weight += one;
            covered += one * (double)disc(&w, b, l);
        }
    const double pixels = weight * (double)(map->height * map->width);
    w.pixel = weight > 0 ? (double)focal_weight / pixels : 0;
    w.disc = covered > 0 ? 1 / covered : 0;
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
