/* What is drawn for a view, and where its pixels come from. */
#include "view.h"

#include <math.h>

#define PI 3.14159265358979323846

static double spread(struct scp_rng *rng) { /* uniform in [-1, 1) */
    return 2 * scp_rng_uniform(rng) - 1;
}

double view_normal(struct scp_rng *rng) {
    const double radius = sqrt(-2 * log(1 - scp_rng_uniform(rng)));
    return radius * cos(2 * PI * scp_rng_uniform(rng));
}

static void field_draw(struct field *field, struct scp_rng *rng, size_t nodes, size_t width,
                       size_t height, double scale) {
    field->nodes = nodes;
    field->width = width;
    field->height = height;
    for (size_t j = 0; j < nodes; j++)
        for (size_t i = 0; i < nodes; i++) field->value[j][i] = scale * view_normal(rng);
}

/* Draws the same number of words whatever is switched on, so that one strength does not change what
 * the others draw. */
void view_draw(struct view *view, const float *s, size_t width, size_t height, double left,
               double top, uint64_t seed, uint64_t streams) {
    const double side = (double)(width < height ? width : height);
    struct scp_rng rng;
    scp_rng_init(&rng, seed, streams);
    view->width = width;
    view->height = height;
    view->strength = s;
    view->seed = seed;
    view->noise_stream = streams + 1;

    const double angle = spread(&rng) * (double)s[SCP_ROTATION] * PI / 180;
    const double zoom = exp(spread(&rng) * (double)s[SCP_SCALE]);
    const double shift_x = spread(&rng) * (double)s[SCP_TRANSLATION] * side;
    const double shift_y = spread(&rng) * (double)s[SCP_TRANSLATION] * side;
    const double mirror = scp_rng_uniform(&rng) < (double)s[SCP_FLIP] ? -1 : 1;
    const double cx = ((double)width - 1) / 2, cy = ((double)height - 1) / 2;
    view->matrix[0][0] = zoom * cos(angle) * mirror;
    view->matrix[0][1] = -zoom * sin(angle);
    view->matrix[1][0] = zoom * sin(angle) * mirror;
    view->matrix[1][1] = zoom * cos(angle);
    view->base[0] = left + cx + shift_x - view->matrix[0][0] * cx - view->matrix[0][1] * cy;
    view->base[1] = top + cy + shift_y - view->matrix[1][0] * cx - view->matrix[1][1] * cy;
    const size_t nodes = 3 + scp_rng_below(&rng, FIELD_MAX_NODES - 2);
    for (int axis = 0; axis < 2; axis++)
        field_draw(&view->elastic[axis], &rng, nodes, width, height, side * (double)s[SCP_ELASTIC]);
    view->warped = s[SCP_ROTATION] > 0 || s[SCP_SCALE] > 0 || s[SCP_TRANSLATION] > 0 ||
                   s[SCP_FLIP] > 0 || s[SCP_ELASTIC] > 0;
    if (!view->warped) { /* exactly, where the products above round */
        view->base[0] = left;
        view->base[1] = top;
    }

    view->blur = (float)(spread(&rng) * (double)s[SCP_BLUR]);
    view->brightness = (float)(1 + spread(&rng) * (double)s[SCP_BRIGHTNESS]);
    view->contrast = (float)(1 + spread(&rng) * (double)s[SCP_CONTRAST]);
    view->gamma = (float)exp(spread(&rng) * (double)s[SCP_GAMMA]);
    view->noise = (float)(scp_rng_uniform(&rng) * (double)s[SCP_NOISE]);
    field_draw(&view->multiply, &rng, 3, width, height, (double)s[SCP_SHADE_MULTIPLY]);
    field_draw(&view->add, &rng, 3, width, height, (double)s[SCP_SHADE_ADD]);
}

void view_source(double out[2], const struct view *view, double x, double y) {
    for (int i = 0; i < 2; i++) {
        out[i] = view->base[i] + view->matrix[i][0] * x + view->matrix[i][1] * y;
        if (view->strength[SCP_ELASTIC] > 0) out[i] += field_at(&view->elastic[i], x, y);
    }
}

#define INVERSE_STEPS 100
#define INVERSE_ERROR 1e-6 /* pixels of the image */

/* Newton's iteration with the matrix as the derivative: the elastic part is a small disturbance. */
int view_inverse(double out[2], const struct view *view, double x, double y) {
    const double (*m)[2] = view->matrix;
    const double determinant = m[0][0] * m[1][1] - m[0][1] * m[1][0];
    out[0] = ((double)view->width - 1) / 2;
    out[1] = ((double)view->height - 1) / 2;
    for (int step = 0; step < INVERSE_STEPS; step++) {
        double source[2];
        view_source(source, view, out[0], out[1]);
        const double dx = x - source[0], dy = y - source[1];
        if (fabs(dx) <= INVERSE_ERROR && fabs(dy) <= INVERSE_ERROR) return 0;
        out[0] += (m[1][1] * dx - m[0][1] * dy) / determinant;
        out[1] += (m[0][0] * dy - m[1][0] * dx) / determinant;
        if (!(fabs(out[0]) <= 1e7 && fabs(out[1]) <= 1e7)) return -1;
    }
    return -1;
}
