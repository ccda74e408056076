/* Losses and gradients of supervised heat maps: every task is a row of one item's map. A Gaussian
 * is a product of two lines, which are made once for each landmark. */
#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/supervise.h"

#define PI 3.14159265358979323846
#define REACH 40 /* beyond exp(-REACH) of its peak a target is 0 */

/* Along one axis, [items][pixels][landmarks]: exp(-d^2 / 2 s^2) and d^2. */
struct line {
    double *bell, *square;
};

struct work {
    const struct scp_output *map;
    const struct scp_supervise_batch *batch;
    const float *sigmas;
    double integral;
    struct line x, y;
    double *sums; /* [items][rows][2 landmarks]: of the losses, of the derivatives of sigmas */
};

static enum scp_status make_line(struct line *line, const struct work *w, size_t pixels, int axis) {
    const size_t landmarks = w->batch->landmarks, items = w->batch->items;
    line->bell = scp_alloc(items * pixels * landmarks, sizeof(double));
    line->square = scp_alloc(items * pixels * landmarks, sizeof(double));
    if (!line->bell || !line->square) return SCP_ENOMEM;
    for (size_t i = 0; i < items * pixels * landmarks; i++) {
        const size_t item = i / (pixels * landmarks), l = i % landmarks;
        const double at = (double)(i / landmarks % pixels), s = (double)w->sigmas[l];
        const double d = at - (double)w->batch->points[2 * (item * landmarks + l) + (size_t)axis];
        const double e = d * d / (2 * s * s);
        line->square[i] = d * d;
        line->bell[i] = e > REACH ? 0 : exp(-e); /* no number gives none */
    }
    return SCP_OK;
}

static enum scp_status map_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_output *m = w->map;
    const size_t landmarks = w->batch->landmarks, item = task / m->height;
    const float *weights = w->batch->weights + item * landmarks;
    const float *values = m->values + task * m->width * m->stride;
    float *gradient = m->gradient + task * m->width * m->stride;
    const double *bell_y = w->y.bell + task * landmarks, *dy = w->y.square + task * landmarks;
    double *loss = w->sums + task * 2 * landmarks, *slope = loss + landmarks;
    const double items = (double)w->batch->items;
    (void)worker;
    memset(loss, 0, 2 * landmarks * sizeof *loss);
    memset(gradient, 0, m->width * m->stride * sizeof *gradient);
    for (size_t x = 0; x < m->width; x++, values += m->stride, gradient += m->stride) {
        const double *bell_x = w->x.bell + (item * m->width + x) * landmarks;
        const double *dx = w->x.square + (item * m->width + x) * landmarks;
        for (size_t l = 0; l < landmarks; l++) {
            if (!(weights[l] > 0)) continue;
            const double s = (double)w->sigmas[l], weight = (double)weights[l] / items;
            const double t = w->integral / (2 * PI * s * s) * bell_x[l] * bell_y[l];
            const double error = (double)values[l] - t;
            gradient[l] = (float)(weight * error);
            loss[l] += weight * error * error / 2;
            slope[l] -= weight * error * t * ((dx[l] + dy[l]) / (s * s) - 2) / s;
        }
    }
    return SCP_OK;
}

static enum scp_status check(const struct scp_output *map, const struct scp_supervise_batch *b,
                             const struct scp_control *control) {
    if (b->items == 0 || b->landmarks == 0 || b->landmarks > SCP_SUPERVISE_MAX_LANDMARKS)
        return scp_invalid(control, "points", SCP_SHAPE, "must be of 1 to 1024 landmarks");
    if (map->height != b->height || map->width != b->width || map->channels < b->landmarks ||
        map->height == 0 || map->width == 0 || map->height > 1u << 15 || map->width > 1u << 15)
        return scp_invalid(control, "map", SCP_SHAPE,
                           "must have a channel per landmark at the size of the images");
    for (size_t i = 0; i < b->items * b->landmarks; i++)
        if (!(b->weights[i] >= 0 && b->weights[i] <= 1))
            return scp_invalid(control, "weights", i, "must be 0 to 1");
    return SCP_OK;
}

/* Sums in the order of the tasks. */
static void add_up(double *losses, float *sigma_gradients, const struct work *w,
                   double sigma_weight) {
    const struct scp_supervise_batch *b = w->batch;
    losses[0] = losses[2] = 0;
    for (size_t l = 0; l < b->landmarks; l++) {
        const double s = (double)w->sigmas[l];
        double slope = 0;
        for (size_t task = 0; task < b->items * b->height; task++) {
            losses[0] += w->sums[(2 * task) * b->landmarks + l];
            slope += w->sums[(2 * task + 1) * b->landmarks + l];
        }
        for (size_t item = 0; item < b->items; item++) {
            const double weight = (double)b->weights[item * b->landmarks + l] / (double)b->items;
            losses[2] += sigma_weight * weight * s * s / 2;
            slope += sigma_weight * weight * s;
        }
        sigma_gradients[l] = (float)slope;
    }
}

enum scp_status scp_supervise_objective(double losses[SCP_SUPERVISE_LOSSES], float *sigma_gradients,
                                        const struct scp_output *map, const float *sigmas,
                                        const struct scp_supervise_batch *batch, double integral,
                                        double sigma_weight, const struct scp_control *control) {
    struct work w = {.map = map, .batch = batch, .sigmas = sigmas, .integral = integral};
    enum scp_status status = check(map, batch, control);
    if (status != SCP_OK) return status;
    if (!(integral > 0 && integral < INFINITY && sigma_weight >= 0 && sigma_weight < INFINITY))
        return scp_invalid(control, "integral, sigma_weight", SCP_WHOLE, "must be finite, >= 0");
    const size_t tasks = batch->items * map->height;
    w.sums = scp_alloc(tasks * 2 * batch->landmarks, sizeof *w.sums);
    status = w.sums ? make_line(&w.x, &w, map->width, 0) : SCP_ENOMEM;
    if (status == SCP_OK) status = make_line(&w.y, &w, map->height, 1);
    if (status == SCP_OK) status = scp_parallel(tasks, map_row, &w, control);
    if (status == SCP_OK) add_up(losses, sigma_gradients, &w, sigma_weight);
    scp_free(w.sums);
    scp_free(w.x.bell);
    scp_free(w.x.square);
    scp_free(w.y.bell);
    scp_free(w.y.square);
    return status;
}
