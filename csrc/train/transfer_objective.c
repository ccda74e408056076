/* Heat maps of the second stage of 3FabRec: their targets, their loss and where they are highest.
 * A target is a product of two lines, which are made once for each landmark. */
#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/transfer.h"

struct work {
    const struct scp_output *map;
    const float *points;
    size_t items, landmarks;
    double scale, weight;
    float *lines; /* [items][axis][pixels][landmarks] */
    double *sums; /* [items][rows] */
};

/* exp(-d^2 / 2 sigma^2) along one axis of the stamp. */
static void make_line(float *line, const struct work *w, size_t item, size_t axis, double sigma) {
    const size_t pixels = axis ? w->map->height : w->map->width;
    const ptrdiff_t window = (ptrdiff_t)(5 * sigma);
    memset(line, 0, pixels * w->landmarks * sizeof *line);
    for (size_t l = 0; l < w->landmarks; l++) {
        const double point = (double)w->points[2 * (item * w->landmarks + l) + axis] * w->scale;
        const double at = fmin(fmax(point, 0), (double)pixels - 1);
        const ptrdiff_t first = (ptrdiff_t)(at - (double)window / 2); /* toward zero */
        const ptrdiff_t peak = first + (window + 1) / 2;
        for (ptrdiff_t k = first; k < first + window; k++) {
            if (k < 0 || k >= (ptrdiff_t)pixels) continue;
            const double d = (double)(k - peak);
            line[(size_t)k * w->landmarks + l] = (float)exp(-d * d / (2 * sigma * sigma));
        }
    }
}

static enum scp_status map_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const struct scp_output *m = w->map;
    const size_t item = task / m->height, row = task % m->height, landmarks = w->landmarks;
    const float *lines = w->lines + item * 2 * m->width * landmarks;
    const float *line_y = lines + (m->width + row) * landmarks;
    const float *values = m->values + task * m->width * m->stride;
    float *gradient = m->gradient + task * m->width * m->stride;
    const double numbers = (double)(w->items * landmarks * m->height * m->width);
    const float slope = (float)(2 * w->weight / numbers);
    double sum = 0;
    (void)worker;
    memset(gradient, 0, m->width * m->stride * sizeof *gradient);
    for (size_t x = 0; x < m->width; x++, values += m->stride, gradient += m->stride) {
        const float *line_x = lines + x * landmarks;
        float part = 0;
        for (size_t l = 0; l < landmarks; l++) {
            const float error = values[l] - line_x[l] * line_y[l];
            gradient[l] = slope * error;
            part += error * error;
        }
        sum += (double)part;
    }
    w->sums[task] = w->weight * sum / numbers;
    return SCP_OK;
}

static enum scp_status check(const struct scp_output *map, size_t landmarks, size_t side,
                             const struct scp_control *control) {
    if (landmarks == 0 || landmarks > SCP_FACE_MAX_LANDMARKS || map->channels < landmarks)
        return scp_invalid(control, "map", SCP_SHAPE, "must have a channel per landmark");
    if (map->height != map->width || map->height == 0 || map->height > SCP_FACE_MAX_SIDE)
        return scp_invalid(control, "map", SCP_SHAPE, "must be square, of 1 to 4096 pixels a side");
    if (side == 0 || side > SCP_FACE_MAX_SIDE)
        return scp_invalid(control, "side", SCP_WHOLE, "must be 1 to 4096");
    return SCP_OK;
}

enum scp_status scp_transfer_objective(double *loss, const struct scp_output *map,
                                       const float *points, size_t items, size_t landmarks,
                                       size_t side, const struct scp_transfer_options *options,
                                       const struct scp_control *control) {
    enum scp_status status = check(map, landmarks, side, control);
    if (status != SCP_OK) return status;
    if (!(options->sigma >= 0.2 && options->sigma <= 100))
        return scp_invalid(control, "sigma", SCP_WHOLE, "must be in its range");
    for (size_t i = 0; i < items * landmarks * 2; i++)
        if (!isfinite(points[i])) return scp_invalid(control, "points", i, "must be finite");
    struct work w = {.map = map,
                     .points = points,
                     .items = items,
                     .landmarks = landmarks,
                     .scale = (double)map->height / (double)side,
                     .weight = options->weight};
    const size_t line = map->width * landmarks, tasks = items * map->height;
    w.lines = scp_alloc(2 * items * line, sizeof *w.lines);
    w.sums = scp_alloc(tasks, sizeof *w.sums);
    status = SCP_ENOMEM;
    if (!w.lines || !w.sums) goto done;
    for (size_t k = 0; k < 2 * items; k++)
        make_line(w.lines + k * line, &w, k / 2, k % 2, options->sigma);
    status = scp_parallel(tasks, map_row, &w, control);
    *loss = 0;
    for (size_t i = 0; status == SCP_OK && i < tasks; i++) *loss += w.sums[i];
done:
    scp_free(w.lines);
    scp_free(w.sums);
    return status;
}

/* ---- peaks ---- */

#define BOX_RADIUS 4

struct search {
    double *xy, *confidence;
    const struct scp_output *map;
    double scale;
    float *lines; /* [workers][height][width] */
};

/* Sums along x first, then along y. */
static enum scp_status find_peak(void *context, size_t landmark, size_t worker) {
    const struct search *s = context;
    const struct scp_output *m = s->map;
    const ptrdiff_t height = (ptrdiff_t)m->height, width = (ptrdiff_t)m->width;
    float *line = s->lines + worker * m->height * m->width, best = -INFINITY;
    ptrdiff_t at = 0;
    for (ptrdiff_t i = 0; i < height * width; i++) {
        const ptrdiff_t x = i % width;
        line[i] = 0;
        for (ptrdiff_t k = -BOX_RADIUS; k <= BOX_RADIUS; k++)
            if (x + k >= 0 && x + k < width)
                line[i] += m->values[(size_t)(i + k) * m->stride + landmark];
    }
    for (ptrdiff_t i = 0; i < height * width; i++) {
        float sum = 0;
        for (ptrdiff_t k = -BOX_RADIUS; k <= BOX_RADIUS; k++)
            if (i / width + k >= 0 && i / width + k < height) sum += line[i + k * width];
        if (sum > best) best = sum, at = i;
    }
    s->xy[2 * landmark] = (double)(at % width) * s->scale;
    s->xy[2 * landmark + 1] = (double)(at / width) * s->scale;
    s->confidence[landmark] = (double)best / ((2 * BOX_RADIUS + 1) * (2 * BOX_RADIUS + 1));
    return SCP_OK;
}

enum scp_status scp_heat_peaks(double *xy, double *confidence, const struct scp_output *map,
                               size_t landmarks, size_t side, const struct scp_control *control) {
    enum scp_status status = check(map, landmarks, side, control);
    if (status != SCP_OK) return status;
    struct search s = {xy, confidence, map, (double)side / (double)map->height, NULL};
    s.lines = scp_alloc(scp_threads() * map->height * map->width, sizeof *s.lines);
    if (!s.lines) return SCP_ENOMEM;
    status = scp_parallel(landmarks, find_peak, &s, control);
    scp_free(s.lines);
    return status;
}
