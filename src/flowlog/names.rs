//! What rows say of where they come from.

use crate::flow::Names;
use crate::flow::RouteNames;

use super::RouteId;
use super::RoutingTable;

impl RouteNames for RoutingTable {
    fn names(&self, route: u16) -> Names<'_> {
        let route = self.route(RouteId(route));
        route.map_or_else(Names::default, |route| Names {
            flow_log: &route.flow_log.name,
            instance_id: route.instance_id.as_deref(),
            snid: route.snid.as_deref(),
            ali_uid: route.ali_uid.as_deref(),
        })
    }
}
