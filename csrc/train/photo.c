/* The photometric part of a view: blur, brightness, contrast, gamma, shades, noise, in this order.
 */
#include "view.h"

#include <math.h>
#include <string.h>

static inline float unit(float x) {
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static inline float taps(float a, float b, float c, float d, float e) {
    return ((a + e) + 4 * (b + d) + 6 * c) * 0.0625f;
}

/* pixels + v * (blurred - pixels), clipped. scratch: [height + 1][width]. */
static void blur(float *restrict pixels, float *restrict scratch, size_t width, size_t height,
                 float v) {
    float *line = scratch + height * width;
    for (size_t y = 0; y < height; y++) { /* along y, into scratch */
        const float *row[5];
        for (size_t k = 0; k < 5; k++) {
            const size_t at = y + k < 2 ? 0 : y + k - 2 >= height ? height - 1 : y + k - 2;
            row[k] = pixels + at * width;
        }
        float *out = scratch + y * width;
        for (size_t x = 0; x < width; x++)
            out[x] = taps(row[0][x], row[1][x], row[2][x], row[3][x], row[4][x]);
    }
    const size_t border = width < 4 ? width : 2, last = width - 1;
    for (size_t y = 0; y < height; y++) { /* along x, into line */
        const float *in = scratch + y * width;
        float *out = pixels + y * width;
        for (size_t k = 0; k < 2 * border && k < width; k++) {
            const size_t x = k < border ? k : width - 1 - (k - border);
            line[x] = taps(in[x > 1 ? x - 2 : 0], in[x ? x - 1 : 0], in[x],
                           in[x < last ? x + 1 : last], in[x + 1 < last ? x + 2 : last]);
        }
        for (size_t x = border; x + border < width; x++)
            line[x] = taps(in[x - 2], in[x - 1], in[x], in[x + 1], in[x + 2]);
        for (size_t x = 0; x < width; x++) out[x] = unit(out[x] + v * (line[x] - out[x]));
    }
}

static float mean(const float *pixels, size_t width, size_t height) {
    double sum = 0;
    for (size_t y = 0; y < height; y++) {
        float lane[16] = {0};
        const float *row = pixels + y * width;
        size_t x = 0;
        for (; x + 16 <= width; x += 16)
            for (size_t j = 0; j < 16; j++) lane[j] += row[x + j];
        for (size_t j = 0; x < width; j++, x++) lane[j] += row[x];
        for (int j = 0; j < 16; j++) sum += (double)lane[j];
    }
    return (float)(sum / ((double)width * (double)height));
}

#define BYTE_SUM_MEAN 510.0f
#define BYTE_SUM_SD 147.80166f /* sqrt(4 * (256^2 - 1) / 12) */

/* row[width] += sd * bell; pixel i of the view uses word i of the noise stream. */
static void add_noise(float *row, const struct view *view, size_t y) {
    const uint32_t key[2] = {(uint32_t)view->seed, (uint32_t)(view->seed >> 32)};
    const float scale = view->noise / BYTE_SUM_SD;
    const size_t first = y * view->width, end = first + view->width;
    for (size_t block = first / 4; block * 4 < end; block++) {
        const uint32_t counter[4] = {(uint32_t)block, (uint32_t)((uint64_t)block >> 32),
                                     (uint32_t)view->noise_stream,
                                     (uint32_t)(view->noise_stream >> 32)};
        uint32_t word[4];
        scp_philox(word, counter, key);
        for (size_t j = 0; j < 4; j++) {
            const size_t i = block * 4 + j;
            const uint32_t w = word[j];
            const uint32_t sum = (w & 255) + (w >> 8 & 255) + (w >> 16 & 255) + (w >> 24);
            if (i >= first && i < end) row[i - first] += scale * ((float)sum - BYTE_SUM_MEAN);
        }
    }
}

void view_photo(float *pixels, float *scratch, const struct view *view) {
    const float *s = view->strength;
    const size_t width = view->width, height = view->height;
    if (s[SCP_BLUR] > 0) blur(pixels, scratch, width, height, view->blur);
    if (s[SCP_BRIGHTNESS] > 0)
        for (size_t i = 0; i < width * height; i++) pixels[i] = unit(pixels[i] * view->brightness);
    if (s[SCP_CONTRAST] > 0) {
        const float m = mean(pixels, width, height);
        for (size_t i = 0; i < width * height; i++)
            pixels[i] = unit(m + view->contrast * (pixels[i] - m));
    }
    if (!(s[SCP_GAMMA] > 0 || s[SCP_SHADE_MULTIPLY] > 0 || s[SCP_SHADE_ADD] > 0 ||
          s[SCP_NOISE] > 0))
        return;
    for (size_t y = 0; y < height; y++) {
        float *row = pixels + y * width, *field = scratch;
        if (s[SCP_GAMMA] > 0)
            for (size_t x = 0; x < width; x++) row[x] = powf(row[x], view->gamma);
        if (s[SCP_SHADE_MULTIPLY] > 0) {
            field_row(field, &view->multiply, y);
            for (size_t x = 0; x < width; x++) row[x] = unit(row[x] * (1 + field[x]));
        }
        if (s[SCP_SHADE_ADD] > 0) {
            field_row(field, &view->add, y);
            for (size_t x = 0; x < width; x++) row[x] = unit(row[x] + field[x]);
        }
        if (s[SCP_NOISE] > 0) {
            add_noise(row, view, y);
            for (size_t x = 0; x < width; x++) row[x] = unit(row[x]);
        }
    }
}
