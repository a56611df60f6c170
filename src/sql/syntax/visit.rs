//! Visits the nodes of a syntax tree.
//!
//! sqlparser's own `Visit` is generic over the visitor, so that each visitor has a copy of the code that walks
//! over the hundreds of types of nodes. The walk here calls its visitor by dynamic dispatch and exists once:
//! with two dozen visitors that is megabytes of the program, and seconds of each build.

use std::ops::ControlFlow;

use sqlparser::ast::{self, Expr, ObjectName, Query, TableFactor, Visit, VisitMut};

/// Is called before and after each node of some types; `Break` ends the walk.
pub(in crate::sql) trait Visitor {
    fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, _name: &ObjectName) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, _table: &TableFactor) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expr: &Expr) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Like [`Visitor`], but may change the nodes.
pub(in crate::sql) trait VisitorMut {
    fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn post_visit_relation(&mut self, _name: &mut ObjectName) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, _table: &mut TableFactor) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn post_visit_table_factor(&mut self, _table: &mut TableFactor) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, _expr: &mut Expr) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _expr: &mut Expr) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Visits `node` and everything in it, in the order of the text.
pub(in crate::sql) fn visit(node: &impl Visit, visitor: &mut dyn Visitor) -> ControlFlow<()> {
    node.visit(&mut Any(visitor))
}

/// Like [`visit`], but the visitor may change the nodes.
pub(in crate::sql) fn visit_mut(node: &mut impl VisitMut, visitor: &mut dyn VisitorMut) -> ControlFlow<()> {
    node.visit(&mut AnyMut(visitor))
}

/// Calls `look` with every expression in `node`, outer ones first.
pub(in crate::sql) fn expressions(
    node: &impl Visit,
    look: &mut dyn FnMut(&Expr) -> ControlFlow<()>,
) -> ControlFlow<()> {
    struct Expressions<'f>(&'f mut dyn FnMut(&Expr) -> ControlFlow<()>);
    impl Visitor for Expressions<'_> {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            (self.0)(expr)
        }
    }
    visit(node, &mut Expressions(look))
}

/// Calls `look` with the name of every table in `node`.
pub(in crate::sql) fn relations(
    node: &impl Visit,
    look: &mut dyn FnMut(&ObjectName) -> ControlFlow<()>,
) -> ControlFlow<()> {
    struct Relations<'f>(&'f mut dyn FnMut(&ObjectName) -> ControlFlow<()>);
    impl Visitor for Relations<'_> {
        fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
            (self.0)(name)
        }
    }
    visit(node, &mut Relations(look))
}

/// Like [`relations`], but the names may be changed.
pub(in crate::sql) fn relations_mut(
    node: &mut impl VisitMut,
    change: &mut dyn FnMut(&mut ObjectName) -> ControlFlow<()>,
) -> ControlFlow<()> {
    struct Relations<'f>(&'f mut dyn FnMut(&mut ObjectName) -> ControlFlow<()>);
    impl VisitorMut for Relations<'_> {
        fn post_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
            (self.0)(name)
        }
    }
    visit_mut(node, &mut Relations(change))
}

/// The only visitor that sqlparser's walk is compiled for.
struct Any<'v>(&'v mut dyn Visitor);

impl ast::Visitor for Any<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.0.post_visit_query(query)
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        self.0.pre_visit_relation(name)
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<()> {
        self.0.pre_visit_table_factor(table)
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.pre_visit_expr(expr)
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.post_visit_expr(expr)
    }
}

/// The only visitor that sqlparser's walk with changes is compiled for.
struct AnyMut<'v>(&'v mut dyn VisitorMut);

impl ast::VisitorMut for AnyMut<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.0.pre_visit_query(query)
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.0.post_visit_query(query)
    }

    fn post_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
        self.0.post_visit_relation(name)
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        self.0.pre_visit_table_factor(table)
    }

    fn post_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        self.0.post_visit_table_factor(table)
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.0.pre_visit_expr(expr)
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        self.0.post_visit_expr(expr)
    }
}
