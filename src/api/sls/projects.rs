//! Projects: `/`, with the project before the host name or without.

use axum::response::Response;
use serde_json::{Value, json};

use super::request::Request;
use super::{Failure, Front, Project, answer};
use crate::api::auth::Access;

/// The projects that the caller may read.
pub(super) async fn list(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let parameters = request.parameters();
    let wanted = parameters.text("projectName").unwrap_or_default();
    let mut projects = front.backend.projects().await?;
    projects.retain(|project| {
        project.name.contains(wanted) && request.caller.may(Access::Read, &project.name)
    });
    let offset = parameters.number("offset")?.unwrap_or(0);
    let size = parameters.number("size")?.unwrap_or(SIZE_MAX);
    let (total, projects) = answer::page(projects, offset, size.min(SIZE_MAX));
    let projects: Vec<_> = projects
        .iter()
        .map(|project| shown(front, project))
        .collect();
    answer::json(&json!({"count": projects.len(), "total": total, "projects": projects}))
}

/// Projects of one page, at most.
const SIZE_MAX: usize = 500;

/// One project.
pub(super) async fn get(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let name = request.project(Access::Read)?;
    match find(front, name).await? {
        Some(project) => answer::json(&shown(front, &project)),
        None => Err(Failure::no_project(name)),
    }
}

/// Creates a project, named by the host or the body, or by both alike.
pub(super) async fn create(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let body = request.json_parameters()?;
    let name = if request.has_project() {
        request.project(Access::Write)?
    } else {
        body.required("projectName")?
    };
    request.permit(Access::Write, name)?;
    if body.text("projectName").is_some_and(|told| told != name) {
        let message = "projectName is not the project of the host";
        return Err(Failure::parameter(message));
    }
    let _one = front.changes.lock().await;
    if find(front, name).await?.is_some() {
        let message = format!("Project {name} already exist");
        return Err(Failure::bad("ProjectAlreadyExist", message));
    }
    let description = body.text("description").unwrap_or_default();
    front.backend.set_project(name, description).await?;
    Ok(answer::empty())
}

/// Changes a project's description.
pub(super) async fn update(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let name = request.project(Access::Write)?;
    let body = request.json_parameters()?;
    let _one = front.changes.lock().await;
    if find(front, name).await?.is_none() {
        return Err(Failure::no_project(name));
    }
    let description = body.text("description").unwrap_or_default();
    front.backend.set_project(name, description).await?;
    Ok(answer::empty())
}

/// Deletes a project with all its logstores.
pub(super) async fn delete(front: &Front, request: &Request<'_>) -> Result<Response, Failure> {
    let name = request.project(Access::Write)?;
    let _one = front.changes.lock().await;
    front.backend.delete_project(name).await?;
    front.groups.lock().await.forget_project(name);
    Ok(answer::empty())
}

async fn find(front: &Front, name: &str) -> Result<Option<Project>, Failure> {
    let projects = front.backend.projects().await?;
    Ok(projects.into_iter().find(|project| project.name == name))
}

/// Every member is required by the SDKs, as a string.
fn shown(front: &Front, project: &Project) -> Value {
    json!({
        "projectName": project.name,
        "description": project.description,
        "status": "Normal",
        "region": front.settings.region,
        "owner": "",
        "createTime": answer::date_time(project.created_s),
        "lastModifyTime": answer::date_time(project.changed_s),
    })
}
