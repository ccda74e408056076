/* The tensor core instructions, lane by lane as PTX lays their fragments out. */
#include "cuda_host.h"

namespace {

float number(uint32_t pair, int half) { /* of two bfloat16 */
    const uint32_t bits = half ? pair & 0xffff0000u : pair << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct Multiply {
    float *d;
    uint32_t a[4], b[2];
};

/* Lane 4 g + t holds of A: rows g, g + 8, columns 2t, 2t + 1 and + 8; of B: column g, the same
 * rows; of D: rows g, g + 8, columns 2t, 2t + 1. */
void multiply_lanes(void *const lanes[32]) {
    float a[16][16], b[8][16];
    for (int l = 0; l < 32; l++) {
        const Multiply *m = static_cast<Multiply *>(lanes[l]);
        const int g = l / 4, t = l % 4;
        for (int half = 0; half < 2; half++) {
            a[g][2 * t + half] = number(m->a[0], half);
            a[g + 8][2 * t + half] = number(m->a[1], half);
            a[g][2 * t + 8 + half] = number(m->a[2], half);
            a[g + 8][2 * t + 8 + half] = number(m->a[3], half);
            b[g][2 * t + half] = number(m->b[0], half);
            b[g][2 * t + 8 + half] = number(m->b[1], half);
        }
    }
    for (int l = 0; l < 32; l++) {
        Multiply *m = static_cast<Multiply *>(lanes[l]);
        const int g = l / 4, t = l % 4;
        for (int i = 0; i < 4; i++) {
            const float *row = a[g + (i / 2) * 8], *column = b[2 * t + i % 2];
            float sum = 0;
            for (int k = 0; k < 16; k++) sum += row[k] * column[k];
            m->d[i] += sum;
        }
    }
}

struct Tiles {
    const uint16_t *row;
    uint32_t result[4];
};

void load_lanes(void *const lanes[32]) {
    for (int l = 0; l < 32; l++)
        for (int tile = 0; tile < 4; tile++) {
            const Tiles *source = static_cast<Tiles *>(lanes[8 * tile + l / 4]);
            memcpy(&static_cast<Tiles *>(lanes[l])->result[tile], source->row + 2 * (l % 4), 4);
        }
}

} // namespace

namespace scp_device {

void multiply_tile(float (&d)[4], const uint4 &a, uint32_t b0, uint32_t b1, const char *file,
                   int line) {
    Multiply lane{d, {a.x, a.y, a.z, a.w}, {b0, b1}};
    cuda_host::meet_warp(&lane, multiply_lanes, false, "mma.sync", file, line);
}

uint4 load_tiles(pointer<const uint16_t> row, const char *file, int line) {
    if (row.region() && !row.region()->shared) cuda_host::fail("ldmatrix needs shared memory");
    row.check(16, false);
    if ((uintptr_t)row.raw() % 16) cuda_host::fail("ldmatrix: a row is not aligned");
    Tiles lane{row.raw(), {}};
    cuda_host::meet_warp(&lane, load_lanes, false, "ldmatrix", file, line);
    return {lane.result[0], lane.result[1], lane.result[2], lane.result[3]};
}

} // namespace scp_device
