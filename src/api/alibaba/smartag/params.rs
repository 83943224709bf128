//! Parameters of a call, as they came and as the store takes them.
//!
//! Unknown ones are not looked at, nor are those that every action may have and
//! none heeds: `ResourceOwnerAccount`, `ResourceOwnerId`, `OwnerAccount` and
//! `OwnerId`.

use crate::api::alibaba::Call;
use crate::flowlog::control::is_resource_group;
use crate::flowlog::control::sag::Filter;
use crate::flowlog::control::sag::Given;
use crate::flowlog::control::sag::Page;
use crate::flowlog::control::sag::Param;
use crate::flowlog::control::sag::Refused;
use crate::flowlog::control::sag::Scope;

/// The parameters of a call, and whose it is.
#[derive(Clone, Debug)]
pub(super) struct Params(pub(super) Call);

impl Params {
    fn given(&self, name: &str) -> Option<&str> {
        self.0.given(name)
    }

    fn needed(&self, name: &str, param: Param) -> Result<&str, Refused> {
        self.0.some(name).ok_or(Refused::Missing(param))
    }

    /// Account and region, which every action has.
    pub(super) fn scope(&self) -> Result<Scope<'_>, Refused> {
        let region = self.needed("RegionId", Param::RegionId)?;
        Scope::new(self.0.account(), region)
    }

    pub(super) fn flow_log_id(&self) -> Result<&str, Refused> {
        self.needed("FlowLogId", Param::FlowLogId)
    }

    pub(super) fn gateway_id(&self) -> Result<&str, Refused> {
        self.needed("SmartAGId", Param::SmartAgId)
    }

    /// The resource group of a flow log that is made; `default` if none is
    /// named.
    pub(super) fn resource_group<'a>(&'a self, default: &'a str) -> Result<&'a str, Refused> {
        let group = self.0.some("ResourceGroupId").unwrap_or(default);
        let is_group = is_resource_group(group);
        is_group.then_some(group).ok_or(Refused::Invalid)
    }

    /// What a flow log is to do.
    pub(super) fn attributes(&self) -> Given<'_> {
        Given {
            name: self.given("Name"),
            description: self.given("Description"),
            output_type: self.given("OutputType"),
            active_aging: self.given("ActiveAging"),
            inactive_aging: self.given("InactiveAging"),
            netflow_server_ip: self.given("NetflowServerIp"),
            netflow_server_port: self.given("NetflowServerPort"),
            netflow_version: self.given("NetflowVersion"),
            project_name: self.given("ProjectName"),
            logstore_name: self.given("LogstoreName"),
            sls_region_id: self.given("SlsRegionId"),
        }
    }

    /// Which flow logs are wanted.
    pub(super) fn filter(&self) -> Result<Filter<'_>, Refused> {
        Filter::new(
            self.given("FlowLogId"),
            self.given("FlowLogName"),
            self.given("Description"),
            self.given("Status"),
            self.given("OutputType"),
        )
    }

    /// Which part of a list is wanted.
    pub(super) fn page(&self) -> Result<Page, Refused> {
        Page::new(self.given("PageNumber"), self.given("PageSize"))
    }

    /// The flow log that a call names, for the log; empty if none.
    pub(super) fn shown_flow_log(&self) -> &str {
        self.given("FlowLogId").unwrap_or_default()
    }

    /// The gateway that a call names, for the log; empty if none.
    pub(super) fn shown_gateway(&self) -> &str {
        self.given("SmartAGId").unwrap_or_default()
    }
}
