/* The geometric part of a view: every pixel read from its source, interpolated. */
#include "view.h"

#include <math.h>
#include <string.h>

struct source {
    const float *pixels;
    ptrdiff_t rows, columns;
    int replicate;
};

static float pixel(const struct source *s, ptrdiff_t x, ptrdiff_t y) {
    if (x < 0 || y < 0 || x >= s->columns || y >= s->rows) {
        if (!s->replicate) return 0;
        x = x < 0 ? 0 : x >= s->columns ? s->columns - 1 : x;
        y = y < 0 ? 0 : y >= s->rows ? s->rows - 1 : y;
    }
    return s->pixels[y * s->columns + x];
}

static float bilinear(const struct source *s, float x, float y) {
    const float fx = floorf(x), fy = floorf(y), u = x - fx, v = y - fy;
    const ptrdiff_t i = (ptrdiff_t)fx, j = (ptrdiff_t)fy;
    float a, b, c, d;
    if (i >= 0 && j >= 0 && i + 1 < s->columns && j + 1 < s->rows) {
        const float *p = s->pixels + j * s->columns + i;
        a = p[0], b = p[1], c = p[s->columns], d = p[s->columns + 1];
    } else {
        a = pixel(s, i, j), b = pixel(s, i + 1, j);
        c = pixel(s, i, j + 1), d = pixel(s, i + 1, j + 1);
    }
    const float upper = a + u * (b - a), lower = c + u * (d - c);
    return upper + v * (lower - upper);
}

static void weights(float w[4], float t) {
    w[0] = ((-0.5f * t + 1) * t - 0.5f) * t;
    w[1] = (1.5f * t - 2.5f) * t * t + 1;
    w[2] = ((-1.5f * t + 2) * t + 0.5f) * t;
    w[3] = (0.5f * t - 0.5f) * t * t;
}

static float catmull_rom(const struct source *s, float x, float y) {
    const float fx = floorf(x), fy = floorf(y);
    const ptrdiff_t i = (ptrdiff_t)fx - 1, j = (ptrdiff_t)fy - 1;
    const int inside = i >= 0 && j >= 0 && i + 3 < s->columns && j + 3 < s->rows;
    float wx[4], wy[4], sum = 0;
    weights(wx, x - fx);
    weights(wy, y - fy);
    for (int k = 0; k < 4; k++) {
        float row = 0;
        if (inside) {
            const float *p = s->pixels + (j + k) * s->columns + i;
            row = wx[0] * p[0] + wx[1] * p[1] + wx[2] * p[2] + wx[3] * p[3];
        } else {
            for (int l = 0; l < 4; l++) row += wx[l] * pixel(s, i + l, j + k);
        }
        sum += wy[k] * row;
    }
    return sum < 0 ? 0 : sum > 1 ? 1 : sum; /* it overshoots */
}

void view_warp(float *out, float *scratch, const struct view *view, const float *image, size_t rows,
               size_t columns, int cubic, int replicate) {
    const struct source source = {image, (ptrdiff_t)rows, (ptrdiff_t)columns, replicate};
    const size_t width = view->width;
    float *xs = scratch, *ys = scratch + width;
    if (!view->warped) {
        const size_t left = (size_t)view->base[0], top = (size_t)view->base[1];
        for (size_t y = 0; y < view->height; y++)
            memcpy(out + y * width, image + (top + y) * columns + left, width * sizeof *out);
        return;
    }
    const int elastic = view->strength[SCP_ELASTIC] > 0;
    const float ax = (float)view->matrix[0][0], ay = (float)view->matrix[1][0];
    /* Beyond it everything is border, and a coordinate fits an integer. */
    const float limit = 1e6f;
    for (size_t y = 0; y < view->height; y++, out += width) {
        const float bx = (float)(view->base[0] + view->matrix[0][1] * (double)y);
        const float by = (float)(view->base[1] + view->matrix[1][1] * (double)y);
        if (elastic) {
            field_row(xs, &view->elastic[0], y);
            field_row(ys, &view->elastic[1], y);
        } else {
            memset(scratch, 0, 2 * width * sizeof *scratch);
        }
        for (size_t x = 0; x < width; x++) {
            const float sx = xs[x] + (bx + ax * (float)x), sy = ys[x] + (by + ay * (float)x);
            xs[x] = sx < -limit ? -limit : sx > limit ? limit : sx;
            ys[x] = sy < -limit ? -limit : sy > limit ? limit : sy;
        }
        if (cubic)
            for (size_t x = 0; x < width; x++) out[x] = catmull_rom(&source, xs[x], ys[x]);
        else
            for (size_t x = 0; x < width; x++) out[x] = bilinear(&source, xs[x], ys[x]);
    }
}
