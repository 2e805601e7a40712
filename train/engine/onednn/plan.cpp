//go:build cgo && !nonative

#pragma GCC optimize("no-math-errno", "no-trapping-math")
#include "plan.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels.hpp"
#include "library.hpp"

using namespace dnnl;
typedef memory::format_tag tag;
typedef memory::dims dims;
typedef std::unordered_map<int, memory> arguments;

namespace {

int threads = 1;
engine *eng = nullptr;
stream *str = nullptr;

char *message(const std::exception &e) { return strdup(e.what()); }

// share runs f on each thread's part of n pieces of work, cut at multiples of grain.
template <typename F>
void share(I n, I grain, bool worth, const F &f) {
    if (!worth || threads == 1) {
        f(0, n, 0);
        return;
    }
    I blocks = (n + grain - 1) / grain;
#pragma omp parallel num_threads(threads)
    {
        int t = omp_get_thread_num(), all = omp_get_num_threads();
        I from = blocks * t / all * grain, to = std::min(n, blocks * (t + 1) / all * grain);
        if (from < to) f(from, to, t);
    }
}

const I small = 1 << 15;  // elements below which a second thread costs more than it gives

struct step {
    std::function<void()> run;
};

// prim is a primitive with its arguments, bound to memory.
struct prim {
    primitive p;
    arguments args;
    void operator()() { p.execute(*str, args); }
};

memory::desc plain(const dims &d, tag t) { return memory::desc(d, memory::data_type::f32, t); }
memory at(const memory::desc &d, float *p) { return memory(d, *eng, p); }

}  // namespace

struct dn_plan {
    std::vector<step> steps;
    std::map<int, memory> workspaces;
    std::vector<std::shared_ptr<prim>> prims;
    std::vector<std::pair<prim *, memory::desc>> scratch;
    std::vector<memory> moved;  // weights in a primitive's own format: each for one step, all in one place
    memory scratchpad, moving;
    std::vector<float> sums;  // of batch norms
    size_t most = 0, widest = 0;

    void add(std::function<void()> f) { steps.push_back({std::move(f)}); }
    std::shared_ptr<prim> make(primitive p, arguments a, const memory::desc &pad) {
        auto r = std::make_shared<prim>(prim{std::move(p), std::move(a)});
        if (pad.get_size() > 0) {
            scratch.push_back({r.get(), pad});
            most = std::max(most, pad.get_size());
        }
        prims.push_back(r);
        return r;
    }
    // The memory of a primitive's weights: w itself where the format is the same, else another that a reorder fills, or empties.
    memory weights(const memory::desc &have, const memory::desc &want, float *w, std::shared_ptr<prim> &move, bool out) {
        memory outer = at(have, w);
        if (have == want) return outer;
        memory inner(want, *eng, DNNL_MEMORY_NONE);
        moved.push_back(inner);
        widest = std::max(widest, want.get_size());
        if (out) move = make(reorder(inner, outer), {{DNNL_ARG_FROM, inner}, {DNNL_ARG_TO, outer}}, memory::desc());
        else move = make(reorder(outer, inner), {{DNNL_ARG_FROM, outer}, {DNNL_ARG_TO, inner}}, memory::desc());
        return inner;
    }
};

namespace {

primitive_attr user() {
    primitive_attr a;
    a.set_scratchpad_mode(scratchpad_mode::user);
    return a;
}
void join(primitive_attr &a, int act) {
    if (!act) return;
    post_ops o;
    if (act == 1) o.append_eltwise(1.f, algorithm::eltwise_relu, 0.f, 0.f);
    else o.append_eltwise(1.f, algorithm::eltwise_clip, 0.f, 6.f);
    a.set_post_ops(o);
}

// conv is a convolution's descriptors.
struct conv {
    memory::desc x, y, b, w, any;
    dims s, d, p0, p1;
    conv(const dn_conv &c) {
        x = plain({c.n, c.c, c.h, c.w}, tag::nhwc);
        y = plain({c.n, c.k, c.oh, c.ow}, tag::nhwc);
        b = plain({c.k}, tag::x);
        dims wd = c.groups == 1 ? dims{c.k, c.c, c.kh, c.kw} : dims{c.groups, c.k / c.groups, c.c / c.groups, c.kh, c.kw};
        w = plain(wd, c.groups == 1 ? tag::ohwi : tag::gohwi);
        any = plain(wd, tag::any);
        s = {c.sh, c.sw};
        d = {c.dh - 1, c.dw - 1};
        p0 = {c.top, c.left};
        p1 = {c.bottom, c.right};
    }
    convolution_forward::primitive_desc forward(const dn_conv &c, bool bias, int act) const {
        auto a = user();
        join(a, act);
        auto kind = prop_kind::forward_training;
        if (bias) return {{kind, algorithm::convolution_direct, x, any, b, y, s, d, p0, p1}, a, *eng};
        return {{kind, algorithm::convolution_direct, x, any, y, s, d, p0, p1}, a, *eng};
    }
};

// Two sums per channel over all rows: by blocks in float, the blocks in double, the threads in their order.
template <typename F>
void channel_sums(I m, I c, double *s, double *q, const F &block) {
    const I rows = 128;
    int all = m * c < small ? 1 : threads;
    std::vector<double> part(2 * c * all, 0.0);
    share(m, rows, all > 1, [&](I from, I to, int t) {
        std::vector<float> bs(c), bq(c);
        double *ps = &part[2 * c * t], *pq = ps + c;
        for (I r = from; r < to; r += rows) {
            block(r, std::min(rows, to - r), bs.data(), bq.data());
            for (I j = 0; j < c; j++) { ps[j] += bs[j]; pq[j] += bq[j]; }
        }
    });
    for (I j = 0; j < c; j++) {
        s[j] = q[j] = 0;
        for (int t = 0; t < all; t++) { s[j] += part[2 * c * t + j]; q[j] += part[2 * c * t + c + j]; }
    }
}


}  // namespace

extern "C" {

char *dn_load(const char *path) {
    try {
        if (!eng) {
            std::string wrong = library::open(path);
            if (!wrong.empty()) return strdup(wrong.c_str());
            eng = new engine(engine::kind::cpu, 0);
            str = new stream(*eng);
        }
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
void dn_threads(int n) {
    threads = n;
    omp_set_num_threads(n);
}
void *dn_alloc(size_t bytes) {
    void *p = nullptr;
    if (posix_memalign(&p, 64, (bytes + 63) / 64 * 64 + 64)) return nullptr;
    memset(p, 0, bytes);
    return p;
}
void dn_free(void *p) { free(p); }

dn_plan *dn_plan_new(void) { return new dn_plan; }
void dn_plan_free(dn_plan *p) { delete p; }
int dn_plan_steps(dn_plan *p) { return (int)p->steps.size(); }
char *dn_plan_ready(dn_plan *p) {
    try {
        if (p->most > 0) {
            p->scratchpad = memory(memory::desc({(memory::dim)p->most}, memory::data_type::u8, tag::x), *eng);
            for (auto &s : p->scratch) s.first->args[DNNL_ARG_SCRATCHPAD] = memory(s.second, *eng, p->scratchpad.get_data_handle());
        }
        if (p->widest > 0) {
            p->moving = memory(memory::desc({(memory::dim)p->widest}, memory::data_type::u8, tag::x), *eng);
            for (auto &m : p->moved) m.set_data_handle(p->moving.get_data_handle());
        }
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
char *dn_plan_run(dn_plan *p, int from, int to) {
    try {
        for (int i = from; i < to; i++) p->steps[i].run();
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}

char *dn_conv_fwd(dn_plan *p, const dn_conv *c, float *x, float *w, float *b, float *y) {
    try {
        conv v(*c);
        auto pd = v.forward(*c, b != nullptr, c->act);
        std::shared_ptr<prim> move;
        memory wm = p->weights(v.w, pd.weights_desc(), w, move, false);
        arguments a{{DNNL_ARG_SRC, at(v.x, x)}, {DNNL_ARG_WEIGHTS, wm}, {DNNL_ARG_DST, at(v.y, y)}};
        if (b) a[DNNL_ARG_BIAS] = at(v.b, b);
        auto run = p->make(convolution_forward(pd), a, pd.scratchpad_desc());
        p->add([=] { if (move) (*move)(); (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
char *dn_conv_dx(dn_plan *p, const dn_conv *c, float *dy, float *w, float *dx) {
    try {
        conv v(*c);
        convolution_backward_data::primitive_desc pd({algorithm::convolution_direct, v.x, v.any, v.y, v.s, v.d, v.p0, v.p1}, user(), *eng, v.forward(*c, false, 0));
        std::shared_ptr<prim> move;
        memory wm = p->weights(v.w, pd.weights_desc(), w, move, false);
        auto run = p->make(convolution_backward_data(pd), {{DNNL_ARG_DIFF_DST, at(v.y, dy)}, {DNNL_ARG_WEIGHTS, wm}, {DNNL_ARG_DIFF_SRC, at(v.x, dx)}}, pd.scratchpad_desc());
        p->add([=] { if (move) (*move)(); (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
char *dn_conv_dw(dn_plan *p, const dn_conv *c, float *x, float *dy, float *dw, float *db) {
    try {
        conv v(*c);
        auto fwd = v.forward(*c, db != nullptr, 0);
        auto alg = algorithm::convolution_direct;
        auto pd = db ? convolution_backward_weights::primitive_desc({alg, v.x, v.any, v.b, v.y, v.s, v.d, v.p0, v.p1}, user(), *eng, fwd)
                     : convolution_backward_weights::primitive_desc({alg, v.x, v.any, v.y, v.s, v.d, v.p0, v.p1}, user(), *eng, fwd);
        std::shared_ptr<prim> move;
        memory wm = p->weights(v.w, pd.diff_weights_desc(), dw, move, true);
        arguments a{{DNNL_ARG_SRC, at(v.x, x)}, {DNNL_ARG_DIFF_DST, at(v.y, dy)}, {DNNL_ARG_DIFF_WEIGHTS, wm}};
        if (db) a[DNNL_ARG_DIFF_BIAS] = at(v.b, db);
        auto run = p->make(convolution_backward_weights(pd), a, pd.scratchpad_desc());
        p->add([=] { (*run)(); if (move) (*move)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}

char *dn_dense_fwd(dn_plan *p, int n, int c, int k, int act, float *x, float *w, float *b, float *y) {
    try {
        auto xd = plain({n, c}, tag::nc), wd = plain({k, c}, tag::oi), bd = plain({k}, tag::x), yd = plain({n, k}, tag::nc);
        auto a = user();
        join(a, act);
        auto pd = b ? inner_product_forward::primitive_desc({prop_kind::forward_training, xd, wd, bd, yd}, a, *eng)
                    : inner_product_forward::primitive_desc({prop_kind::forward_training, xd, wd, yd}, a, *eng);
        arguments args{{DNNL_ARG_SRC, at(xd, x)}, {DNNL_ARG_WEIGHTS, at(wd, w)}, {DNNL_ARG_DST, at(yd, y)}};
        if (b) args[DNNL_ARG_BIAS] = at(bd, b);
        auto run = p->make(inner_product_forward(pd), args, pd.scratchpad_desc());
        p->add([=] { (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
char *dn_dense_dx(dn_plan *p, int n, int c, int k, float *dy, float *w, float *dx) {
    try {
        auto xd = plain({n, c}, tag::nc), wd = plain({k, c}, tag::oi), yd = plain({n, k}, tag::nc);
        inner_product_forward::primitive_desc f({prop_kind::forward_training, xd, wd, yd}, user(), *eng);
        inner_product_backward_data::primitive_desc pd({xd, wd, yd}, user(), *eng, f);
        auto run = p->make(inner_product_backward_data(pd), {{DNNL_ARG_DIFF_DST, at(yd, dy)}, {DNNL_ARG_WEIGHTS, at(wd, w)}, {DNNL_ARG_DIFF_SRC, at(xd, dx)}}, pd.scratchpad_desc());
        p->add([=] { (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
char *dn_dense_dw(dn_plan *p, int n, int c, int k, float *x, float *dy, float *dw, float *db) {
    try {
        auto xd = plain({n, c}, tag::nc), wd = plain({k, c}, tag::oi), bd = plain({k}, tag::x), yd = plain({n, k}, tag::nc);
        auto f = db ? inner_product_forward::primitive_desc({prop_kind::forward_training, xd, wd, bd, yd}, user(), *eng)
                    : inner_product_forward::primitive_desc({prop_kind::forward_training, xd, wd, yd}, user(), *eng);
        auto pd = db ? inner_product_backward_weights::primitive_desc({xd, wd, bd, yd}, user(), *eng, f)
                     : inner_product_backward_weights::primitive_desc({xd, wd, yd}, user(), *eng, f);
        arguments a{{DNNL_ARG_SRC, at(xd, x)}, {DNNL_ARG_DIFF_DST, at(yd, dy)}, {DNNL_ARG_DIFF_WEIGHTS, at(wd, dw)}};
        if (db) a[DNNL_ARG_DIFF_BIAS] = at(bd, db);
        auto run = p->make(inner_product_backward_weights(pd), a, pd.scratchpad_desc());
        p->add([=] { (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}

static pooling_forward::primitive_desc pool(const dn_conv &c, int avg) {
    conv v(c);
    auto alg = avg ? algorithm::pooling_avg_exclude_padding : algorithm::pooling_max;
    return {{prop_kind::forward_training, alg, v.x, v.y, v.s, {c.kh, c.kw}, v.p0, v.p1}, user(), *eng};
}
char *dn_pool_fwd(dn_plan *p, const dn_conv *c, int avg, int key, float *x, float *y) {
    try {
        conv v(*c);
        auto pd = pool(*c, avg);
        arguments a{{DNNL_ARG_SRC, at(v.x, x)}, {DNNL_ARG_DST, at(v.y, y)}};
        if (!avg) {
            p->workspaces[key] = memory(pd.workspace_desc(), *eng);
            a[DNNL_ARG_WORKSPACE] = p->workspaces[key];
        }
        auto run = p->make(pooling_forward(pd), a, pd.scratchpad_desc());
        p->add([=] { (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}
char *dn_pool_dx(dn_plan *p, const dn_conv *c, int avg, int key, float *dy, float *dx) {
    try {
        conv v(*c);
        auto alg = avg ? algorithm::pooling_avg_exclude_padding : algorithm::pooling_max;
        pooling_backward::primitive_desc pd({alg, v.x, v.y, v.s, {c->kh, c->kw}, v.p0, v.p1}, user(), *eng, pool(*c, avg));
        arguments a{{DNNL_ARG_DIFF_DST, at(v.y, dy)}, {DNNL_ARG_DIFF_SRC, at(v.x, dx)}};
        if (!avg) a[DNNL_ARG_WORKSPACE] = p->workspaces.at(key);
        auto run = p->make(pooling_backward(pd), a, pd.scratchpad_desc());
        p->add([=] { (*run)(); });
        return nullptr;
    } catch (const std::exception &e) {
        return message(e);
    }
}

void dn_norm(dn_plan *p, int64_t m, int c, float eps, int act, float *x, float *gamma, float *beta, float *y, float *mean, float *var) {
    p->add([=] {
        std::vector<double> s(c), q(c);
        std::vector<float> shift(x, x + c), a(c), b(c);
        channel_sums(m, c, s.data(), q.data(), [&](I r, I n, float *bs, float *bq) { k_moments(n, c, x + r * c, shift.data(), bs, bq); });
        for (int j = 0; j < c; j++) {
            double d = s[j] / m, v = std::max(q[j] / m - d * d, 0.0), mu = d + shift[j];
            double r = gamma[j] / sqrt(v + eps);
            a[j] = (float)r;
            b[j] = (float)(beta[j] - mu * r);
            if (mean) mean[j] = (float)mu;
            if (var) var[j] = (float)v;
        }
        share(m, 16, m * c >= small, [&](I from, I to, int) { k_affine(to - from, c, act, x + from * c, a.data(), b.data(), y + from * c); });
    });
}
void dn_norm_dx(dn_plan *p, int64_t m, int c, float eps, int act, float *x, float *gamma, float *mean, float *var, float *dy, float *y, float *dx,
                float *dgamma, float *dbeta) {
    p->add([=] {
        std::vector<double> s(c), q(c);
        std::vector<float> a(c), b(c), k(c);
        channel_sums(m, c, s.data(), q.data(), [&](I r, I n, float *bs, float *bq) {
            k_norm_sums(n, c, act, x + r * c, mean, dy + r * c, act ? y + r * c : nullptr, bs, bq);
        });
        for (int j = 0; j < c; j++) {
            double rstd = 1 / sqrt((double)var[j] + eps), dg = q[j] * rstd;
            // dx = γ·rstd·(dy - Σdy/m - x̂·Σ(dy·x̂)/m), x̂ = (x-μ)·rstd
            a[j] = (float)(gamma[j] * rstd);
            b[j] = (float)(-gamma[j] * rstd * rstd * dg / m);
            k[j] = (float)(-gamma[j] * rstd * s[j] / m + gamma[j] * rstd * rstd * dg / m * mean[j]);
            if (dgamma) dgamma[j] = (float)dg;
            if (dbeta) dbeta[j] = (float)s[j];
        }
        share(m, 16, m * c >= small, [&](I from, I to, int) {
            k_norm_dx(to - from, c, act, x + from * c, dy + from * c, act ? y + from * c : nullptr, a.data(), b.data(), k.data(), dx + from * c);
        });
    });
}
void dn_norm_infer(dn_plan *p, int64_t m, int c, float eps, int act, float *x, float *gamma, float *beta, float *mean, float *var, float *y) {
    p->add([=] {
        std::vector<float> a(c), b(c);
        for (int j = 0; j < c; j++) {
            double r = gamma[j] / sqrt((double)var[j] + eps);
            a[j] = (float)r;
            b[j] = (float)(beta[j] - mean[j] * r);
        }
        share(m, 16, m * c >= small, [&](I from, I to, int) { k_affine(to - from, c, act, x + from * c, a.data(), b.data(), y + from * c); });
    });
}
void dn_norm_infer_dx(dn_plan *p, int64_t m, int c, float eps, float *dy, float *gamma, float *var, float *dx) {
    p->add([=] {
        std::vector<float> a(c), b(c);
        for (int j = 0; j < c; j++) a[j] = (float)(gamma[j] / sqrt((double)var[j] + eps));
        share(m, 16, m * c >= small, [&](I from, I to, int) { k_affine(to - from, c, 0, dy + from * c, a.data(), b.data(), dx + from * c); });
    });
}

void dn_act(dn_plan *p, int64_t n, int act, float *x, float *y) {
    p->add([=] { share(n, 1024, n >= small, [&](I f, I t, int) { k_act(t - f, act, x + f, y + f); }); });
}
void dn_act_dx(dn_plan *p, int64_t n, int act, float *y, float *dy, float *dx) {
    p->add([=] { share(n, 1024, n >= small, [&](I f, I t, int) { k_act_dx(t - f, act, y + f, dy + f, dx + f); }); });
}
void dn_add(dn_plan *p, int64_t n, int act, float *a, float *b, float *y) {
    p->add([=] { share(n, 1024, n >= small, [&](I f, I t, int) { k_add(t - f, act, a + f, b + f, y + f); }); });
}
void dn_scale(dn_plan *p, int64_t n, float v, float *x, float *y) {
    p->add([=] { share(n, 1024, n >= small, [&](I f, I t, int) { k_scale(t - f, v, x + f, y + f); }); });
}
void dn_dropout(dn_plan *p, int64_t n, float rate, uint32_t seed, float *x, float *step, float *y) {
    p->add([=] {
        uint32_t base = mix((uint32_t)*step * 0x9E3779B9u + seed);
        share(n, 1024, n >= small, [&](I f, I t, int) { k_dropout(f, t, rate, 1 / (1 - rate), base, x, y); });
    });
}
void dn_gap(dn_plan *p, int n, int hw, int c, float *x, float *y) {
    p->add([=] {
        share(n, 1, (I)n * hw * c >= small, [&](I f, I t, int) { for (I i = f; i < t; i++) k_rows_sum(hw, c, x + i * hw * c, 1.f / hw, y + i * c); });
    });
}
void dn_gap_dx(dn_plan *p, int n, int hw, int c, float *dy, float *dx) {
    p->add([=] {
        share(n, 1, (I)n * hw * c >= small, [&](I f, I t, int) {
            for (I i = f; i < t; i++)
                for (I r = 0; r < hw; r++) k_scale(c, 1.f / hw, dy + i * c, dx + (i * hw + r) * c);
        });
    });
}
void dn_columns(dn_plan *p, int64_t rows, int width, float *src, int ss, float *dst, int ds) {
    p->add([=] {
        share(rows, 16, rows * width >= small, [&](I f, I t, int) { for (I r = f; r < t; r++) memcpy(dst + r * ds, src + r * ss, 4 * (size_t)width); });
    });
}
void dn_lerp(dn_plan *p, int64_t n, float rate, float factor, float *a, float *b, float *scalar, float *y) {
    p->add([=] { share(n, 1024, n >= small, [&](I f, I t, int) { k_lerp(t - f, scalar ? *scalar : rate, factor, a + f, b + f, y + f); }); });
}
void dn_sgd(dn_plan *p, int64_t n, dn_rule r, float *w, float *g, float *v, float *lr, float *clip) {
    p->add([=] {
        share(n, 1024, n >= small, [&](I f, I t, int) {
            k_sgd(t - f, *lr * r.rate, r.decay, r.momentum, r.nesterov, clip ? *clip : 1, w + f, g + f, v + f);
        });
    });
}
void dn_adam(dn_plan *p, int64_t n, dn_rule r, float *w, float *g, float *m, float *v, float *lr, float *c1, float *c2, float *clip) {
    p->add([=] {
        float through = r.decoupled ? 0 : r.decay, beside = r.decoupled ? r.decay : 0;
        share(n, 1024, n >= small, [&](I f, I t, int) {
            k_adam(t - f, *lr * r.rate, through, beside, r.beta1, r.beta2, r.eps, *c1, *c2, clip ? *clip : 1, w + f, g + f, m + f, v + f);
        });
    });
}

}  // extern "C"
