/* The views of a step of supervised training. A pixel p of a view comes from
 *     c + move + R S (q - c),   q = p + bend(p)
 * of the image, with c its centre: the order of Payer et al., one linear interpolation for all. */
#include <math.h>

#include "scp/alloc.h"
#include "scp/supervise.h"
#include "view.h"

#define SUPERVISE_KEY 0x5343505f53555056u
#define MESH 2           /* spans of the spline along an axis */
#define NODES (MESH + 3) /* control points */
#define INVERSE_STEPS 30 /* of the fixed point of bend */

struct bent {
    size_t width, height;
    double matrix[2][2], move[2], centre[2]; /* matrix = R S */
    double nodes[2][NODES][NODES];           /* shifts in x and in y, [row][column] */
    float added, factor;
};

static double spread(struct scp_rng *rng, double max) {
    return (2 * scp_rng_uniform(rng) - 1) * max;
}

static void draw(struct bent *b, const struct scp_supervise_options *o, size_t width, size_t height,
                 uint64_t stream) {
    struct scp_rng rng;
    const double side = (double)(height > width ? height : width);
    scp_rng_init(&rng, o->train.seed ^ SUPERVISE_KEY, stream);
    b->width = width, b->height = height;
    b->centre[0] = ((double)width - 1) / 2, b->centre[1] = ((double)height - 1) / 2;
    for (int axis = 0; axis < 2; axis++) b->move[axis] = spread(&rng, o->move * side);
    const double angle = spread(&rng, o->rotate), zoom = 1 + spread(&rng, o->zoom);
    const double x = zoom * (1 + spread(&rng, o->stretch));
    const double y = zoom * (1 + spread(&rng, o->stretch));
    b->matrix[0][0] = cos(angle) * x, b->matrix[0][1] = -sin(angle) * y;
    b->matrix[1][0] = sin(angle) * x, b->matrix[1][1] = cos(angle) * y;
    for (int axis = 0; axis < 2; axis++)
        for (int i = 0; i < NODES; i++)
            for (int j = 0; j < NODES; j++) b->nodes[axis][i][j] = spread(&rng, o->bend * side);
    b->added = (float)spread(&rng, o->brighten);
    b->factor = (float)(1 + spread(&rng, o->contrast));
}

/* The span of a place along an axis, and what its four control points weigh. */
static size_t spline(double weights[4], double at, size_t pixels) {
    double u = (at + 0.5) / (double)pixels * MESH;
    u = u < 0 ? 0 : u > MESH ? MESH : u;
    const size_t span = u < MESH - 1 ? (size_t)u : MESH - 1;
    const double t = u - (double)span, s = 1 - t;
    weights[0] = s * s * s / 6;
    weights[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
    weights[2] = (3 * s * s * s - 6 * s * s + 4) / 6;
    weights[3] = t * t * t / 6;
    return span;
}

static void bend_at(double out[2], const struct bent *b, double x, double y) {
    double wx[4], wy[4];
    const size_t column = spline(wx, x, b->width), row = spline(wy, y, b->height);
    for (int axis = 0; axis < 2; axis++) {
        out[axis] = 0;
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < 4; j++)
                out[axis] += wy[i] * wx[j] * b->nodes[axis][row + i][column + j];
    }
}

/* The pixel of the view that comes from (x, y). bend changes slowly, so the iteration contracts. */
static void inverse(double out[2], const struct bent *b, double x, double y) {
    const double (*m)[2] = b->matrix;
    const double determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    const double dx = x - b->centre[0] - b->move[0], dy = y - b->centre[1] - b->move[1];
    const double q[2] = {b->centre[0] + (m[1][1] * dx - m[0][1] * dy) / determinant,
                         b->centre[1] + (m[0][0] * dy - m[1][0] * dx) / determinant};
    double shift[2];
    out[0] = q[0], out[1] = q[1];
    for (int i = 0; i < INVERSE_STEPS; i++) {
        bend_at(shift, b, out[0], out[1]);
        out[0] = q[0] - shift[0], out[1] = q[1] - shift[1];
    }
}

/* Linear, zeros outside. */
static float pixel(const float *image, const struct bent *b, double x, double y) {
    if (!(x > -1 && y > -1 && x < (double)b->width && y < (double)b->height)) return 0;
    const double fx = floor(x), fy = floor(y);
    const ptrdiff_t i = (ptrdiff_t)fx, j = (ptrdiff_t)fy;
    const float u = (float)(x - fx), v = (float)(y - fy);
    float line[2] = {0, 0};
    for (ptrdiff_t k = 0; k < 2; k++) {
        if (j + k < 0 || j + k >= (ptrdiff_t)b->height) continue;
        const float *row = image + (size_t)(j + k) * b->width;
        const float left = i >= 0 ? row[i] : 0;
        const float right = i + 1 < (ptrdiff_t)b->width ? row[i + 1] : 0;
        line[k] = left + u * (right - left);
    }
    return line[0] + v * (line[1] - line[0]);
}

static float clamped(float x) {
    return x < -1 ? -1 : x > 1 ? 1 : x;
}

struct work {
    struct scp_supervise_batch *batch;
    const struct scp_pool *pool;
    const struct scp_supervise_labels *labels;
    const struct bent *drawn; /* [items] */
};

/* One row of a view. The columns of the control points are summed up for the row first. */
static enum scp_status sample_row(void *context, size_t task, size_t worker) {
    const struct work *w = context;
    const size_t width = w->pool->width, height = w->pool->height;
    const size_t item = task / height, row = task % height;
    const struct bent *b = w->drawn + item;
    const float *image = w->pool->images + w->batch->sources[item] * height * width;
    float *out = w->batch->images + task * width;
    double wx[4], wy[4], line[2][NODES] = {{0}, {0}};
    (void)worker;
    const size_t first = spline(wy, (double)row, height);
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < NODES; j++)
            for (size_t axis = 0; axis < 2; axis++)
                line[axis][j] += wy[i] * b->nodes[axis][first + i][j];
    for (size_t x = 0; x < width; x++) {
        const size_t span = spline(wx, (double)x, width);
        double qx = (double)x - b->centre[0], qy = (double)row - b->centre[1];
        for (size_t j = 0; j < 4; j++) {
            qx += wx[j] * line[0][span + j];
            qy += wx[j] * line[1][span + j];
        }
        const float value =
            pixel(image, b, b->centre[0] + b->move[0] + b->matrix[0][0] * qx + b->matrix[0][1] * qy,
                  b->centre[1] + b->move[1] + b->matrix[1][0] * qx + b->matrix[1][1] * qy);
        out[x] = clamped((value * (255.0f / 128) - 1 + b->added) * b->factor);
    }
    return SCP_OK;
}

static void place(const struct work *w, size_t item) {
    const size_t landmarks = w->labels->landmarks, source = w->batch->sources[item];
    for (size_t l = 0; l < landmarks; l++) {
        const size_t from = source * landmarks + l, to = item * landmarks + l;
        const float *point = w->labels->points + 2 * from;
        double at[2] = {-1, -1};
        w->batch->weights[to] = w->labels->weights[from];
        if (w->labels->weights[from] > 0)
            inverse(at, w->drawn + item, (double)point[0], (double)point[1]);
        w->batch->points[2 * to] = (float)at[0];
        w->batch->points[2 * to + 1] = (float)at[1];
    }
}

enum scp_status scp_supervise_check(const struct scp_supervise_options *o,
                                    const struct scp_pool *pool,
                                    const struct scp_supervise_labels *labels,
                                    const struct scp_control *control) {
    size_t pixels, numbers;
    const enum scp_status status = scp_options_check(&scp_supervise_table, o, control);
    if (status != SCP_OK) return status;
    if (pool->count == 0 || pool->count > UINT32_MAX || pool->height == 0 || pool->width == 0 ||
        pool->height > 1u << 15 || pool->width > 1u << 15)
        return scp_invalid(control, "pool", SCP_SHAPE,
                           "must hold images of 1 to 32768 pixels a side");
    if (labels->landmarks == 0 || labels->landmarks > SCP_SUPERVISE_MAX_LANDMARKS)
        return scp_invalid(control, "points", SCP_SHAPE, "must have 1 to 1024 landmarks");
    if (scp_size_mul(pool->height, pool->width, &pixels) ||
        scp_size_mul(pixels, pool->count, &numbers) || scp_size_mul(numbers, 4, &numbers) ||
        scp_size_mul(pixels, o->batch, &numbers) || scp_size_mul(numbers, 16, &numbers) ||
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

enum scp_status scp_supervise_sample(struct scp_supervise_batch *batch, const struct scp_pool *pool,
                                     const struct scp_supervise_labels *labels,
                                     const struct scp_supervise_options *o, uint64_t step,
                                     const struct scp_control *control) {
    enum scp_status status = scp_supervise_check(o, pool, labels, control);
    if (status != SCP_OK) return status;
    if (batch->items != o->batch)
        return scp_invalid(control, "items", SCP_WHOLE, "must be the option batch");
    uint32_t *order = scp_alloc(pool->count, sizeof *order);
    struct bent *drawn = scp_alloc(batch->items, sizeof *drawn);
    struct work w = {batch, pool, labels, drawn};
    status = SCP_ENOMEM;
    if (!order || !drawn) goto done;
    shuffled_passes(batch->sources, order, pool->count, batch->items, o->train.seed, step);
    for (size_t i = 0; i < batch->items; i++) {
        draw(drawn + i, o, pool->width, pool->height, step * batch->items + i);
        place(&w, i);
    }
    status = scp_parallel(batch->items * pool->height, sample_row, &w, control);
done:
    scp_free(order);
    scp_free(drawn);
    return status;
}
