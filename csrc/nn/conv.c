#include "conv.h"
#include <string.h>
void scp_conv_size(size_t *h, size_t *w, const struct scp_conv *c, size_t ih, size_t iw) {
    size_t ry = c->dilation * (c->kernel_y - 1) + 1, rx = c->dilation * (c->kernel_x - 1) + 1;
    if (c->transposed) {
        size_t a = (ih - 1) * c->stride + ry, b = (iw - 1) * c->stride + rx;
        *h = a > 2 * c->pad_y ? a - 2 * c->pad_y : 0;
        *w = b > 2 * c->pad_x ? b - 2 * c->pad_x : 0;
        return;
    }
    size_t a = ih + 2 * c->pad_y, b = iw + 2 * c->pad_x;
    *h = a >= ry ? (a - ry) / c->stride + 1 : 0;
    *w = b >= rx ? (b - rx) / c->stride + 1 : 0;
}
size_t scp_conv_workspace(const struct scp_conv *c, size_t b, size_t h, size_t w, int t, size_t n) {
    (void)c;
    (void)b;
    (void)h;
    (void)w;
    (void)t;
    (void)n;
    return 16;
}
static float zval(const struct scp_map *x, const struct scp_pending *p, size_t b, size_t i,
                  size_t j, size_t c) {
    float v = x->data[((b * x->height + i) * x->width + j) * x->stride + c];
    if (!p || !p->scale) return v;
    size_t s = b * p->image_step + c;
    float t = p->scale[s] * v + p->shift[s];
    return t > 0 ? t : p->slope[s] * t;
}
static float gval(const struct scp_map *x, const struct scp_pull *p, size_t b, size_t i, size_t j,
                  size_t c) {
    float g = x->data[((b * x->height + i) * x->width + j) * x->stride + c];
    if (!p || !p->raw.data) return g;
    float r = p->raw.data[((b * x->height + i) * x->width + j) * p->raw.stride + c];
    size_t s = b * p->pending.image_step + c;
    float t = p->pending.scale[s] * r + p->pending.shift[s];
    g *= t > 0 ? 1 : p->pending.slope[s];
    return p->a ? p->a[s] * g + p->b[s] * r + p->c[s] : p->pending.scale[s] * g;
}
#define LOOP(big, small)                                                                           \
    for (size_t b = 0; b < small->batch; b++)                                                      \
        for (size_t i = 0; i < small->height; i++)                                                 \
            for (size_t j = 0; j < small->width; j++)                                              \
                for (size_t u = 0; u < c->kernel_y; u++)                                           \
                    for (size_t v = 0; v < c->kernel_x; v++) {                                     \
                        size_t Y = i * c->stride + u * c->dilation - c->pad_y,                     \
                               X = j * c->stride + v * c->dilation - c->pad_x;                     \
                        if (Y >= big->height || X >= big->width) continue;                         \
                        const size_t wo = (u * c->kernel_x + v) * c->in * c->out;
enum scp_status scp_conv_forward(const struct scp_map *y, const struct scp_map *x,
                                 const struct scp_pending *p, const float *w, const float *bias,
                                 const struct scp_conv *c, float *ws, const struct scp_control *k) {
    (void)ws;
    (void)k;
    size_t n = scp_lanes_up(c->out);
    if (y->stride < n) n = c->out;
    for (size_t q = 0; q < y->batch * y->height * y->width; q++) {
        for (size_t o = 0; o < n; o++)
            y->data[q * y->stride + o] = bias && o < c->out ? bias[o] : 0;
    }
    const struct scp_map *big = c->transposed ? y : x, *small = c->transposed ? x : y;
    LOOP(big, small)
    size_t yb = c->transposed ? Y : i,
           xb = c->transposed ? X : j, iy = c->transposed ? i : Y, ix = c->transposed ? j : X;
    float *o = y->data + ((b * y->height + yb) * y->width + xb) * y->stride;
    for (size_t a = 0; a < c->in; a++) {
        float z = zval(x, p, b, iy, ix, a);
        for (size_t e = 0; e < c->out; e++) o[e] += z * w[wo + a * c->out + e];
    }
}
return SCP_OK;
}
enum scp_status scp_conv_backward_data(const struct scp_map *dz, int acc, const struct scp_map *dy,
                                       const struct scp_pull *p, const float *w,
                                       const struct scp_conv *c, float *ws,
                                       const struct scp_control *k) {
    (void)ws;
    (void)k;
    size_t n = scp_lanes_up(c->in);
    if (dz->stride < n) n = c->in;
    if (!acc)
        for (size_t q = 0; q < dz->batch * dz->height * dz->width; q++)
            for (size_t o = 0; o < n; o++) dz->data[q * dz->stride + o] = 0;
    const struct scp_map *big = c->transposed ? dy : dz, *small = c->transposed ? dz : dy;
    LOOP(big, small)
    size_t oy = c->transposed ? Y : i,
           ox = c->transposed ? X : j, iy = c->transposed ? i : Y, ix = c->transposed ? j : X;
    float *o = dz->data + ((b * dz->height + iy) * dz->width + ix) * dz->stride;
    for (size_t e = 0; e < c->out; e++) {
        float g = gval(dy, p, b, oy, ox, e);
        for (size_t a = 0; a < c->in; a++) o[a] += g * w[wo + a * c->out + e];
    }
}
return SCP_OK;
}
enum scp_status scp_conv_backward_weights(float *wg, float *bg, const struct scp_map *x,
                                          const struct scp_pending *pe, const struct scp_map *dy,
                                          const struct scp_pull *p, const struct scp_conv *c,
                                          float *ws, const struct scp_control *k) {
    (void)ws;
    (void)k;
    const struct scp_map *big = c->transposed ? dy : x, *small = c->transposed ? x : dy;
    LOOP(big, small)
    size_t oy = c->transposed ? Y : i,
           ox = c->transposed ? X : j, iy = c->transposed ? i : Y, ix = c->transposed ? j : X;
    for (size_t a = 0; a < c->in; a++) {
        float z = zval(x, pe, b, iy, ix, a);
        for (size_t e = 0; e < c->out; e++)
            wg[wo + a * c->out + e] += z * gval(dy, p, b, oy, ox, e);
    }
}
if (bg)
    for (size_t b = 0; b < dy->batch; b++)
        for (size_t i = 0; i < dy->height; i++)
            for (size_t j = 0; j < dy->width; j++)
                for (size_t e = 0; e < c->out; e++) bg[e] += gval(dy, p, b, i, j, e);
return SCP_OK;
}
