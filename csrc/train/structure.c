/* The contrast and structure term of SSIM and its gradient: every task is a channel of an image,
 * in separable passes over planes of its worker. */
#include <math.h>
#include <string.h>

#include "scp/alloc.h"
#include "scp/faces.h"

#define RADIUS (SCP_STRUCTURE_WINDOW / 2)
#define REACH 9 /* beyond it a weight is below 1e-9 of the largest */
#define TAPS (2 * REACH + 1)
#define SIGMA 1.5

enum { MEAN_X = 0, MEAN_Y, SQUARE_X, SQUARE_Y, PRODUCT, MAPS };

struct planes {
    float *x, *y, *product; /* [side][side] */
    float *half;            /* [side][valid] */
    float *maps[MAPS];      /* [valid][valid] */
    float *sum;             /* [side][side] */
};

struct work {
    float *gradient;
    const float *images, *reconstructions;
    size_t items, side, valid;
    double scale;
    float weights[TAPS];
    double *losses; /* [items * channels] */
    float *floats;  /* of all workers */
    size_t floats_each;
};

static size_t plane_floats(size_t side) {
    const size_t valid = side - 2 * RADIUS;
    return 4 * side * side + side * valid + MAPS * valid * valid;
}

static struct planes planes_of(const struct work *w, size_t worker) {
    struct planes p;
    float *at = w->floats + worker * w->floats_each;
    float **const whole[] = {&p.x, &p.y, &p.product, &p.sum};
    for (int k = 0; k < 4; k++, at += w->side * w->side) *whole[k] = at;
    p.half = at;
    at += w->side * w->valid;
    for (int k = 0; k < MAPS; k++, at += w->valid * w->valid) p.maps[k] = at;
    return p;
}

static void set_weights(float weights[TAPS]) {
    double sum = 0, exact[TAPS];
    for (int k = -RADIUS; k <= RADIUS; k++) {
        const double weight = exp(-k * k / (2 * SIGMA * SIGMA));
        if (k >= -REACH && k <= REACH) exact[k + REACH] = weight;
        sum += weight;
    }
    for (int k = 0; k < TAPS; k++) weights[k] = (float)(exact[k] / sum);
}

static void add_line(float *to, const float *from, float weight, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] += weight * from[i];
}

/* map[valid][valid] = the plane under the window, where that lies inside. */
static void blur(float *map, float *half, const float *plane, const struct work *w) {
    const size_t side = w->side, valid = w->valid, first = RADIUS - REACH;
    memset(half, 0, side * valid * sizeof *half);
    for (size_t y = 0; y < side; y++)
        for (size_t k = 0; k < TAPS; k++)
            add_line(half + y * valid, plane + y * side + first + k, w->weights[k], valid);
    memset(map, 0, valid * valid * sizeof *map);
    for (size_t y = 0; y < valid; y++)
        for (size_t k = 0; k < TAPS; k++)
            add_line(map + y * valid, half + (y + first + k) * valid, w->weights[k], valid);
}

/* The adjoint of it. */
static void spread(float *plane, float *half, const float *map, const struct work *w) {
    const size_t side = w->side, valid = w->valid, first = RADIUS - REACH;
    memset(half, 0, side * valid * sizeof *half);
    for (size_t y = 0; y < valid; y++)
        for (size_t k = 0; k < TAPS; k++)
            add_line(half + (y + first + k) * valid, map + y * valid, w->weights[k], valid);
    memset(plane, 0, side * side * sizeof *plane);
    for (size_t y = 0; y < side; y++)
        for (size_t k = 0; k < TAPS; k++)
            add_line(plane + y * side + first + k, half + y * valid, w->weights[k], valid);
}

static void multiply(float *out, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = a[i] * b[i];
}

/* The mean of cs; what it depends on by mean, square and product of y replaces these maps. */
static double compare(const struct planes *p, size_t n, float stable) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const float x = p->maps[MEAN_X][i], y = p->maps[MEAN_Y][i];
        const float over = 2 * (p->maps[PRODUCT][i] - x * y) + stable;
        const float under =
            (p->maps[SQUARE_X][i] - x * x) + (p->maps[SQUARE_Y][i] - y * y) + stable;
        const float by_product = 2 / under, by_square = -over / (under * under);
        sum += (double)(over / under);
        p->maps[MEAN_Y][i] = -2 * y * by_square - x * by_product;
        p->maps[SQUARE_Y][i] = by_square;
        p->maps[PRODUCT][i] = by_product;
    }
    return sum / (double)n;
}

static float stable_of(const struct work *w, size_t item) {
    const size_t n = w->side * w->side * SCP_FACE_CHANNELS;
    float min = 0;
    for (size_t i = 0; i < n; i++) min = fminf(min, w->images[item * n + i]);
    const float range = min < -0.5f ? 2 : 1;
    return (0.03f * range) * (0.03f * range);
}

static enum scp_status run_plane(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t pixels = w->side * w->side, channels = SCP_FACE_CHANNELS, n = w->valid * w->valid;
    const size_t first = task / channels * pixels * channels + task % channels;
    const struct planes p = planes_of(w, worker);
    for (size_t i = 0; i < pixels; i++) {
        p.x[i] = w->images[first + i * channels];
        p.y[i] = w->reconstructions[first + i * channels];
    }
    blur(p.maps[MEAN_X], p.half, p.x, w);
    blur(p.maps[MEAN_Y], p.half, p.y, w);
    multiply(p.product, p.x, p.x, pixels);
    blur(p.maps[SQUARE_X], p.half, p.product, w);
    multiply(p.product, p.y, p.y, pixels);
    blur(p.maps[SQUARE_Y], p.half, p.product, w);
    multiply(p.product, p.x, p.y, pixels);
    blur(p.maps[PRODUCT], p.half, p.product, w);
    w->losses[task] = 1 - compare(&p, n, stable_of(w, task / channels));
    if (!w->gradient) return SCP_OK;
    spread(p.sum, p.half, p.maps[MEAN_Y], w);
    spread(p.product, p.half, p.maps[SQUARE_Y], w);
    for (size_t i = 0; i < pixels; i++) p.sum[i] += 2 * p.y[i] * p.product[i];
    spread(p.product, p.half, p.maps[PRODUCT], w);
    for (size_t i = 0; i < pixels; i++) p.sum[i] += p.x[i] * p.product[i];
    const float scale = (float)(-w->scale / (double)(w->items * channels * n));
    for (size_t i = 0; i < pixels; i++) w->gradient[first + i * channels] += scale * p.sum[i];
    return SCP_OK;
}

enum scp_status scp_structure(double *loss, float *gradient, const float *images,
                              const float *reconstructions, size_t items, size_t side, double scale,
                              const struct scp_control *control) {
    if (side < SCP_STRUCTURE_WINDOW || side > SCP_FACE_MAX_SIDE)
        return scp_invalid(control, "images", SCP_SHAPE, "must have sides of 31 to 4096 pixels");
    if (items == 0 || items > 65535)
        return scp_invalid(control, "images", SCP_SHAPE, "must be 1 to 65535");
    struct work w = {.gradient = gradient,
                     .images = images,
                     .reconstructions = reconstructions,
                     .items = items,
                     .side = side,
                     .valid = side - 2 * RADIUS,
                     .scale = scale,
                     .floats_each = plane_floats(side)};
    const size_t tasks = items * SCP_FACE_CHANNELS;
    enum scp_status status = SCP_ENOMEM;
    w.losses = scp_alloc(tasks, sizeof *w.losses);
    w.floats = scp_alloc(scp_threads() * w.floats_each, sizeof *w.floats);
    if (!w.losses || !w.floats) goto done;
    set_weights(w.weights);
    status = scp_parallel(tasks, run_plane, &w, control);
    *loss = 0;
    for (size_t i = 0; status == SCP_OK && i < tasks; i++) *loss += w.losses[i];
    *loss /= (double)tasks;
done:
    scp_free(w.losses);
    scp_free(w.floats);
    return status;
}
