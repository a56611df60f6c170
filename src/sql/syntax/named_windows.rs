//! `WINDOW w AS (PARTITION BY …)`: names are replaced by their definitions before anything is evaluated.

use std::ops::ControlFlow;

use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use sqlparser::ast::{
    Expr, Function, Ident, NamedWindowDefinition, NamedWindowExpr, Query, Select, SetExpr, WindowSpec,
    WindowType,
};

/// Writes out the named windows of every SELECT in a query.
pub(in crate::sql) fn write_out(query: &mut Query) {
    struct Selects;
    impl VisitorMut for Selects {
        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            let mut order_by = query.order_by.take();
            if let SetExpr::Select(select) = &mut *query.body {
                let windows = definitions(select);
                let mut put = PutWindows(&windows);
                if !windows.is_empty() {
                    let _ = visit_mut(&mut **select, &mut put);
                    let _ = visit_mut(&mut order_by, &mut put);
                }
            }
            query.order_by = order_by;
            ControlFlow::Continue(())
        }
    }
    let _ = visit_mut(query, &mut Selects);
}

/// Takes the definitions out of a SELECT; a definition may use an earlier one.
fn definitions(select: &mut Select) -> Vec<(String, WindowSpec)> {
    let mut known: Vec<(String, WindowSpec)> = Vec::new();
    for NamedWindowDefinition(name, definition) in std::mem::take(&mut select.named_window) {
        let spec = match definition {
            NamedWindowExpr::NamedWindow(other) => find(&known, &other).cloned(),
            NamedWindowExpr::WindowSpec(spec) => Some(complete(&known, spec)),
        };
        known.extend(spec.map(|spec| (name.value.to_lowercase(), spec)));
    }
    known
}

fn find<'k>(known: &'k [(String, WindowSpec)], name: &Ident) -> Option<&'k WindowSpec> {
    known.iter().find(|(known, _)| *known == name.value.to_lowercase()).map(|(_, spec)| spec)
}

/// `(w ORDER BY …)`: the definition of `w` with the additions. An unknown name stays, and is refused later.
fn complete(known: &[(String, WindowSpec)], mut spec: WindowSpec) -> WindowSpec {
    let Some(base) = spec.window_name.as_ref().and_then(|name| find(known, name)) else { return spec };
    spec.window_name = None;
    spec.partition_by.clone_from(&base.partition_by);
    if spec.order_by.is_empty() {
        spec.order_by.clone_from(&base.order_by);
    }
    spec.window_frame = spec.window_frame.or_else(|| base.window_frame.clone());
    spec
}

struct PutWindows<'w>(&'w [(String, WindowSpec)]);

impl VisitorMut for PutWindows<'_> {
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(Function { over: Some(over), .. }) = expr {
            match over {
                WindowType::NamedWindow(name) => {
                    if let Some(spec) = find(self.0, name) {
                        *over = WindowType::WindowSpec(spec.clone());
                    }
                }
                WindowType::WindowSpec(spec) => *spec = complete(self.0, spec.clone()),
            }
        }
        ControlFlow::Continue(())
    }
}
