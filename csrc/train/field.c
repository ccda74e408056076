/* Smooth fields: a few nodes, Catmull-Rom between them, along whole rows or at single places. */
#include "view.h"

#include <math.h>

/* Catmull-Rom between p[1] and p[2] as a polynomial in t, lowest power first. */
static void cubic(double c[4], double p0, double p1, double p2, double p3) {
    c[0] = p1;
    c[1] = 0.5 * (p2 - p0);
    c[2] = p0 - 2.5 * p1 + 2 * p2 - 0.5 * p3;
    c[3] = 0.5 * (p3 - p0) + 1.5 * (p1 - p2);
}

static double at(const double *line, size_t nodes, ptrdiff_t k) {
    return line[k < 0 ? 0 : k >= (ptrdiff_t)nodes ? (ptrdiff_t)nodes - 1 : k];
}

/* The segment of a coordinate, 0 .. nodes - 2. */
static size_t segment(double x, size_t nodes) {
    const double last = (double)(nodes - 2);
    return x <= 0 ? 0 : x >= last ? (size_t)last : (size_t)x;
}

static double scale_of(size_t pixels, size_t nodes) {
    return pixels > 1 ? (double)(nodes - 1) / (double)(pixels - 1) : 0;
}

/* line[nodes]: the field along x at that height. */
static void line_at(double *line, const struct field *f, double y) {
    const double v = y * scale_of(f->height, f->nodes);
    const size_t k = segment(v, f->nodes);
    const double t = v - (double)k;
    for (size_t i = 0; i < f->nodes; i++) {
        double column[FIELD_MAX_NODES], c[4];
        for (size_t j = 0; j < f->nodes; j++) column[j] = f->value[j][i];
        cubic(c, at(column, f->nodes, (ptrdiff_t)k - 1), column[k], column[k + 1],
              at(column, f->nodes, (ptrdiff_t)k + 2));
        line[i] = ((c[3] * t + c[2]) * t + c[1]) * t + c[0];
    }
}

void field_row(float *out, const struct field *f, size_t y) {
    double line[FIELD_MAX_NODES];
    const double scale = scale_of(f->width, f->nodes);
    line_at(line, f, (double)y);
    size_t x = 0;
    for (size_t k = 0; k + 1 < f->nodes; k++) {
        double c[4];
        cubic(c, at(line, f->nodes, (ptrdiff_t)k - 1), line[k], line[k + 1],
              at(line, f->nodes, (ptrdiff_t)k + 2));
        const float c0 = (float)c[0], c1 = (float)c[1], c2 = (float)c[2], c3 = (float)c[3];
        const double edge = scale > 0 ? (double)(k + 1) / scale : (double)f->width;
        size_t end = k + 2 == f->nodes ? f->width : (size_t)ceil(edge);
        if (end > f->width) end = f->width;
        const float step = (float)scale, start = (float)k;
        for (; x < end; x++) {
            const float t = (float)x * step - start;
            out[x] = ((c3 * t + c2) * t + c1) * t + c0;
        }
    }
}

double field_at(const struct field *f, double x, double y) {
    double line[FIELD_MAX_NODES], c[4];
    line_at(line, f, y);
    const double u = x * scale_of(f->width, f->nodes);
    const size_t k = segment(u, f->nodes);
    const double t = u - (double)k;
    cubic(c, at(line, f->nodes, (ptrdiff_t)k - 1), line[k], line[k + 1],
          at(line, f->nodes, (ptrdiff_t)k + 2));
    return ((c[3] * t + c[2]) * t + c[1]) * t + c[0];
}
