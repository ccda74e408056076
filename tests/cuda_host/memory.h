/* Memory that knows its size, what was written, and (shared memory) who touched it since when. */
#ifndef SCP_CUDA_HOST_MEMORY_H
#define SCP_CUDA_HOST_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace cuda_host {

/* Ends the launch with a message; does not return to the kernel. Outside a kernel it is kept for
 * the next cudaGetErrorString. */
void fail(const std::string &message);

template <class T> class pointer;

struct Region {
    char *base = nullptr;
    size_t bytes = 0;
    bool shared = false;
    std::vector<uint8_t> written; /* [bytes] */

    /* Shared memory, per 4 bytes: the last writer and reader, and the barriers they had passed.
     * -1: nobody; as reader -2: several warps, -3 - w: several lanes of warp w. */
    struct Trace {
        int writer = -1, reader = -1;
        uint64_t write_block = 0, write_warp = 0, read_block = 0, read_warp = 0;
    };
    std::vector<Trace> traces;

    void range(const void *p, size_t size) const; /* fails unless p .. p + size lies inside */
    void check(const void *p, size_t size, bool write);
    void race(size_t word, bool write);
    template <class T> pointer<T> part(size_t offset, size_t count) {
        return pointer<T>(this, (T *)(base + offset), (T *)(base + offset) + count);
    }
};

/* The device allocation that holds p, or NULL. */
Region *find_region(const void *p);

/* A T* that checks. Index and offset freely; only an access must be inside. */
template <class T> class pointer {
  public:
    using value = std::remove_const_t<T>;

    pointer() = default;
    pointer(T *p) : region_(find_region(p)), p_(p) {
        if (p && !region_) fail("a kernel got a pointer that is no device memory");
        if (region_) low_ = (T *)region_->base, high_ = (T *)(region_->base + region_->bytes);
    }
    pointer(Region *region, T *low, T *high) : region_(region), p_(low), low_(low), high_(high) {
        if ((char *)high > region->base + region->bytes || (char *)low < region->base)
            fail("shared memory: a part of the block's memory lies outside of it");
    }
    /* T* to const T* */
    template <class U, class = std::enable_if_t<std::is_same<const U, T>::value>>
    pointer(const pointer<U> &p)
        : region_(p.region()), p_(p.raw()), low_(p.low()), high_(p.high()) {}

    class reference {
      public:
        reference(const pointer &p) : p_(p) {}
        operator value() const {
            return p_.template get<value>();
        }
        reference &operator=(value v) {
            p_.check(sizeof v, true);
            memcpy((void *)p_.raw(), &v, sizeof v);
            return *this;
        }
        reference &operator=(const reference &other) {
            return *this = (value)other;
        }
        reference &operator+=(value v) {
            return *this = (value) * this + v;
        }

      private:
        pointer p_;
    };

    reference operator[](ptrdiff_t i) const {
        return reference(*this + i);
    }
    reference operator*() const {
        return reference(*this);
    }
    pointer operator+(ptrdiff_t i) const {
        pointer q = *this;
        q.p_ += i;
        return q;
    }
    explicit operator bool() const {
        return p_ != nullptr;
    }

    /* A V read at p. */
    template <class V> V get() const {
        V v;
        check(sizeof v, false);
        if ((uintptr_t)p_ % alignof(V)) fail("a vector access is not aligned");
        memcpy(&v, p_, sizeof v);
        return v;
    }
    void check_range(size_t size) const {
        if (!region_) fail("a null pointer is used");
        if (p_ < low_ || (char *)p_ + size > (char *)high_) {
            const char *where = region_->shared ? "shared memory" : "device memory";
            fail(std::string(where) + ": access out of bounds at element " +
                 std::to_string(p_ - low_) + " of " + std::to_string(high_ - low_));
        }
    }
    void check(size_t size, bool write) const {
        check_range(size);
        region_->check(p_, size, write);
    }
    Region *region() const {
        return region_;
    }
    T *raw() const {
        return p_;
    }
    T *low() const {
        return low_;
    }
    T *high() const {
        return high_;
    }

  private:
    Region *region_ = nullptr;
    T *p_ = nullptr, *low_ = nullptr, *high_ = nullptr;
};

} // namespace cuda_host

#endif
